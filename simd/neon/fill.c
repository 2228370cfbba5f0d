/* SPDX-License-Identifier: MIT */
/* What the set neon does better than the rungs below it. */
#include "simd/neon/neon.h"
#include "simd/sets.h"

void sv_kernels_fill_neon(sv_kernels *k)
{
    sv_float_fill_neon(k);
    sv_dequant_fill_neon(k);
    k->quant_rows = sv_quant_rows_neon;
    k->pack = sv_pack_neon;
    k->panel_f32 = sv_panel_f32_neon;
    sv_expand_fill_neon(k);
    sv_gemm_quant_fill_neon(k);
    sv_gemv_quant_fill_neon(k);
}
