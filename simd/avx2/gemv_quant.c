/* SPDX-License-Identifier: MIT */
/* One token times a packed panel. */
#include "simd/avx2/vec.h"

static inline vi vi_dot(vi p, vi w, const int8_t *four, int is_signed)
{
    return _mm256_add_epi32(p, vi_sum_pairs(vi_pairs(w, vi_four(four), is_signed)));
}

#include "simd/product_body.h"

#include "simd/gemv_body.h"

void sv_gemv_quant_fill_avx2(sv_kernels *k)
{
    fill_gemv(k);
}
