/* SPDX-License-Identifier: MIT */
/* One token times a packed panel. */
#include "simd/neon/dot.h"

static inline vi vi_dot(vi p, vi w, const int8_t *q, int is_signed)
{
    int32_t four;
    (void)is_signed;
    memcpy(&four, q, 4);
    two_sums a = { { vi_zero(), vi_zero() } };
    return vi_add(p, dot_end(dot_more(a, w, vreinterpret_s8_s32(vdup_n_s32(four)))));
}

#include "simd/product_body.h"

#include "simd/gemv_body.h"

void sv_gemv_quant_fill_neon(sv_kernels *k)
{
    fill_gemv(k);
}
