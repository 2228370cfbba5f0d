/* SPDX-License-Identifier: MIT */
/* What the set neon_dotprod does better than the rungs below it. */
#include "simd/neon_dotprod/neon_dotprod.h"
#include "simd/sets.h"

void sv_kernels_fill_neon_dotprod(sv_kernels *k)
{
    sv_gemm_quant_fill_neon_dotprod(k);
    sv_gemv_quant_fill_neon_dotprod(k);
}
