/* SPDX-License-Identifier: MIT */
/* What the set avx512_bf16 does better than the rungs below it. */
#include "simd/avx512_bf16/avx512_bf16.h"
#include "simd/sets.h"

void sv_kernels_fill_avx512_bf16(sv_kernels *k)
{
    k->gemm_bf16 = sv_gemm_bf16_avx512_bf16;
}
