/* SPDX-License-Identifier: MIT */
/* The AVX2 set: with FMA, F16C and BMI2, as processors since Haswell have them. */
#ifndef SV_AVX2_H
#define SV_AVX2_H

#include <immintrin.h>

#include "simd/kernels.h"

void sv_quant_rows_avx2(sv_qtoken *dst, const float *x, size_t ldx, int n, int k);
void sv_pack_avx2(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                  const sv_block_shape *s);
void sv_panel_f32_avx2(float *dst, const float *x, size_t ldx, int n_rows, int depth);
void sv_dequant_fill_avx2(sv_kernels *k);
void sv_expand_fill_avx2(sv_kernels *k);
void sv_gemv_quant_fill_avx2(sv_kernels *k);
void sv_gemm_quant_fill_avx2(sv_kernels *k);
void sv_float_fill_avx2(sv_kernels *k);

#endif
