# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/vision/vision.h
