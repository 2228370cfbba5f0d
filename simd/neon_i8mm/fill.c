/* SPDX-License-Identifier: MIT */
/* What the set neon_i8mm does better than the rungs below it. */
#include "simd/neon_i8mm/neon_i8mm.h"
#include "simd/sets.h"

void sv_kernels_fill_neon_i8mm(sv_kernels *k)
{
    sv_gemm_quant_fill_neon_i8mm(k);
}
