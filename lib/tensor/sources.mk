# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/tensor/attention.h lib/tensor/matmul.h
