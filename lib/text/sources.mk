# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/text/text.h
