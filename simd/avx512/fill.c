/* SPDX-License-Identifier: MIT */
/* What the set avx512 does better than the rungs below it. */
#include "simd/sets.h"

void sv_kernels_fill_avx512(sv_kernels *k)
{
    (void)k;
}
