# SPDX-License-Identifier: MIT
# Each kernel set is a small library with its own flags; everything else is
# compiled for the baseline.
libcore_la_SOURCES += simd/kernels.h
