/* SPDX-License-Identifier: MIT */
/* What the set neon_dotprod does better than the rungs below it. */
#include "simd/sets.h"

void sv_kernels_fill_neon_dotprod(sv_kernels *k)
{
    (void)k;
}
