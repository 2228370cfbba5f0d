/* SPDX-License-Identifier: MIT */
/* The bottom of the ladder: every entry of the table. */
#include "simd/ref/ref.h"
#include "simd/sets.h"

/* GGUF type numbers; simd does not know the library's enum. */
enum {
    F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8,
    Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, BF16 = 30
};

static void fill_dequant(sv_kernels *k)
{
    k->dequant[F32] = sv_dequant_f32_ref;
    k->dequant[F16] = sv_dequant_f16_ref;
    k->dequant[BF16] = sv_dequant_bf16_ref;
    k->dequant[Q4_0] = sv_dequant_q4_0_ref;
    k->dequant[Q4_1] = sv_dequant_q4_1_ref;
    k->dequant[Q5_0] = sv_dequant_q5_0_ref;
    k->dequant[Q5_1] = sv_dequant_q5_1_ref;
    k->dequant[Q8_0] = sv_dequant_q8_0_ref;
    k->dequant[IQ4_NL] = sv_dequant_iq4_nl_ref;
    k->dequant[Q2_K] = sv_dequant_q2_k_ref;
    k->dequant[Q3_K] = sv_dequant_q3_k_ref;
    k->dequant[Q4_K] = sv_dequant_q4_k_ref;
    k->dequant[Q5_K] = sv_dequant_q5_k_ref;
    k->dequant[Q6_K] = sv_dequant_q6_k_ref;
}

void sv_kernels_fill_ref(sv_kernels *k)
{
    k->dot_f32 = sv_dot_f32_ref;
    k->dot_f16 = sv_dot_f16_ref;
    k->axpy_f32 = sv_axpy_f32_ref;
    k->axpy_f16 = sv_axpy_f16_ref;
    k->add_f32 = sv_add_f32_ref;
    k->scale_f32 = sv_scale_f32_ref;
    k->rms_norm = sv_rms_norm_ref;
    k->layer_norm = sv_layer_norm_ref;
    k->softmax = sv_softmax_ref;
    k->silu_mul = sv_silu_mul_ref;
    k->gelu = sv_gelu_ref;
    k->gelu_quick = sv_gelu_quick_ref;
    k->rope = sv_rope_ref;
    k->f16_to_f32 = sv_f16_to_f32_ref;
    k->f32_to_f16 = sv_f32_to_f16_ref;
    k->bf16_to_f32 = sv_bf16_to_f32_ref;
    k->f32_to_bf16 = sv_f32_to_bf16_ref;
    fill_dequant(k);
    sv_dot_row_fill_ref(k);
    k->gemm_f32 = sv_gemm_f32_ref;
    k->gemm_panel = sv_gemm_panel_ref;
    k->panel_f32 = sv_panel_f32_ref;
    k->quant_rows = sv_quant_rows_ref;
    k->pack = sv_pack_ref;
    sv_expand_fill_ref(k);
    sv_gemm_quant_fill_ref(k);
}
