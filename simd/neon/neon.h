/* SPDX-License-Identifier: MIT */
/* The NEON set: every ARMv8.0 has it (Cortex-A53, Cortex-A72). */
#ifndef SV_NEON_H
#define SV_NEON_H

#include <arm_neon.h>

#include "simd/kernels.h"

void sv_quant_rows_neon(sv_qtoken *dst, const float *x, size_t ldx, int n, int k);
void sv_pack_neon(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                  const sv_block_shape *s);
void sv_panel_f32_neon(float *dst, const float *x, size_t ldx, int n_rows, int depth);
void sv_dequant_fill_neon(sv_kernels *k);
void sv_expand_fill_neon(sv_kernels *k);
void sv_float_fill_neon(sv_kernels *k);
void sv_gemv_quant_fill_neon(sv_kernels *k);
void sv_gemm_quant_fill_neon(sv_kernels *k);

#endif
