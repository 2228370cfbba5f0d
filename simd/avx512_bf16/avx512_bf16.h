/* SPDX-License-Identifier: MIT */
/* The AVX-512 set with bfloat16 dot products. */
#ifndef SV_AVX512_BF16_H
#define SV_AVX512_BF16_H

#include "simd/kernels.h"

void sv_gemm_bf16_avx512_bf16(float *y, size_t ldy, const uint16_t *w, const uint16_t *x, size_t ldx,
                              int n, int n_rows, int n_pairs);

#endif
