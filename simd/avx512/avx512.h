/* SPDX-License-Identifier: MIT */
/* The AVX-512 set: F, BW, VL, DQ, VNNI and VBMI. */
#ifndef SV_AVX512_H
#define SV_AVX512_H

#include <immintrin.h>

#include "simd/kernels.h"

void sv_quant_rows_avx512(sv_qtoken *dst, const float *x, size_t ldx, int n, int k);
void sv_pack_avx512(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                    const sv_block_shape *s);
void sv_float_fill_avx512(sv_kernels *k);
void sv_dequant_fill_avx512(sv_kernels *k);
void sv_expand_fill_avx512(sv_kernels *k);
void sv_gemv_quant_fill_avx512(sv_kernels *k);
void sv_gemm_quant_fill_avx512(sv_kernels *k);

#endif
