/* SPDX-License-Identifier: MIT */
/* The AVX2 set: with FMA, F16C and BMI2, as processors since Haswell have them. */
#ifndef SV_AVX2_H
#define SV_AVX2_H

#include <immintrin.h>

#include "simd/kernels.h"

void sv_float_fill_avx2(sv_kernels *k);

#endif
