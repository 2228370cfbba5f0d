/* SPDX-License-Identifier: MIT */
/* The plain C kernels; kernels.h says what each computes. */
#ifndef SV_REF_H
#define SV_REF_H

#include "simd/kernels.h"

float sv_dot_f32_ref(const float *x, const float *y, int n);
float sv_dot_f16_ref(const uint16_t *x, const float *y, int n);
void sv_axpy_f32_ref(float *y, float a, const float *x, int n);
void sv_axpy_f16_ref(float *y, float a, const uint16_t *x, int n);
void sv_add_f32_ref(float *y, const float *x, int n);
void sv_scale_f32_ref(float *y, float a, int n);
void sv_rms_norm_ref(float *y, const float *x, const float *w, int n, float eps);
void sv_layer_norm_ref(float *y, const float *x, const float *w, const float *b, int n, float eps);
void sv_softmax_ref(float *x, int n);
void sv_silu_mul_ref(float *y, const float *gate, const float *up, int n);
void sv_gelu_ref(float *x, int n);
void sv_gelu_quick_ref(float *x, int n);
void sv_rope_ref(float *x, const float *cos, const float *sin, int n_pairs);

void sv_f16_to_f32_ref(float *y, const uint16_t *x, size_t n);
void sv_f32_to_f16_ref(uint16_t *y, const float *x, size_t n);
void sv_bf16_to_f32_ref(float *y, const uint16_t *x, size_t n);
void sv_f32_to_bf16_ref(uint16_t *y, const float *x, size_t n);

void sv_dequant_f32_ref(float *y, const void *x, size_t n);
void sv_dequant_f16_ref(float *y, const void *x, size_t n);
void sv_dequant_bf16_ref(float *y, const void *x, size_t n);
void sv_dequant_q4_0_ref(float *y, const void *x, size_t n);
void sv_dequant_q4_1_ref(float *y, const void *x, size_t n);
void sv_dequant_q5_0_ref(float *y, const void *x, size_t n);
void sv_dequant_q5_1_ref(float *y, const void *x, size_t n);
void sv_dequant_q8_0_ref(float *y, const void *x, size_t n);
void sv_dequant_iq4_nl_ref(float *y, const void *x, size_t n);
void sv_dequant_q2_k_ref(float *y, const void *x, size_t n);
void sv_dequant_q3_k_ref(float *y, const void *x, size_t n);
void sv_dequant_q4_k_ref(float *y, const void *x, size_t n);
void sv_dequant_q5_k_ref(float *y, const void *x, size_t n);
void sv_dequant_q6_k_ref(float *y, const void *x, size_t n);
void sv_dot_row_fill_ref(sv_kernels *k);

void sv_gemm_f32_ref(float *c, int ldc, const float *a, int lda, const float *b, int ldb,
                     int m, int n, int k, int add);

void sv_gemm_panel_ref(float *y, size_t ldy, const float *w, size_t ldw, const float *x, size_t ldx,
                       int n, int depth, int add);
void sv_panel_f32_ref(float *dst, const float *x, size_t ldx, int n_rows, int depth);

void sv_quant_rows_ref(sv_qtoken *dst, const float *x, size_t ldx, int n, int k);
void sv_pack_ref(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                 const sv_block_shape *s);
void sv_expand_fill_ref(sv_kernels *k);
void sv_gemm_quant_fill_ref(sv_kernels *k);

#endif
