# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/gguf/gguf.h
