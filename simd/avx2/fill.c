/* SPDX-License-Identifier: MIT */
/* What the set avx2 does better than the rungs below it. */
#include "simd/avx2/avx2.h"
#include "simd/sets.h"

void sv_kernels_fill_avx2(sv_kernels *k)
{
    sv_float_fill_avx2(k);
    sv_dequant_fill_avx2(k);
    k->quant_rows = sv_quant_rows_avx2;
    k->pack = sv_pack_avx2;
    k->panel_f32 = sv_panel_f32_avx2;
    sv_expand_fill_avx2(k);
    sv_gemm_quant_fill_avx2(k);
    sv_gemv_quant_fill_avx2(k);
}
