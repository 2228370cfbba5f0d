/* SPDX-License-Identifier: MIT */
/* What the set avx2 does better than the rungs below it. */
#include "simd/avx2/avx2.h"
#include "simd/sets.h"

void sv_kernels_fill_avx2(sv_kernels *k)
{
    sv_float_fill_avx2(k);
}
