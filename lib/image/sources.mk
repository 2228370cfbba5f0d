# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/image/image.h
