/* SPDX-License-Identifier: MIT */
/* One token times a packed panel. */
#include "simd/neon/vec.h"
#include "simd/neon_dotprod/neon_dotprod.h"

static inline vi vi_dot(vi p, vi w, const int8_t *q, int is_signed)
{
    int32_t four;
    (void)is_signed;
    memcpy(&four, q, 4);
    return vdotq_s32(p, AS_BYTES(w), AS_BYTES(vi_set(four)));
}

#include "simd/product_body.h"

#include "simd/gemv_body.h"

void sv_gemv_quant_fill_neon_dotprod(sv_kernels *k)
{
    fill_gemv(k);
}
