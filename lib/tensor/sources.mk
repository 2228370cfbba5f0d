# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/tensor/matmul.h
