/* SPDX-License-Identifier: MIT */
/* Panel times token group: dot.h says how. */
#include "simd/neon/dot.h"

#include "simd/product_body.h"

#define TOKENS 1
#define prepare(w)

INLINE vi four_words(const vi *w, const int8_t *q)
{
    int32x4_t x = vreinterpretq_s32_s8(vld1q_s8(q));
    two_sums a = { { vi_zero(), vi_zero() } };
    a = dot_more(a, w[0], vreinterpret_s8_s32(vdup_laneq_s32(x, 0)));
    a = dot_more(a, w[1], vreinterpret_s8_s32(vdup_laneq_s32(x, 1)));
    a = dot_more(a, w[2], vreinterpret_s8_s32(vdup_laneq_s32(x, 2)));
    a = dot_more(a, w[3], vreinterpret_s8_s32(vdup_laneq_s32(x, 3)));
    return dot_end(a);
}

INLINE void dots(vi (*d)[2], const vi *w, const int8_t *const *q, int form)
{
    (void)form;
    d[0][0] = four_words(w, q[0]);
    d[0][1] = four_words(w + 4, q[0] + 16);
}

#include "simd/gemm_body.h"

void sv_gemm_quant_fill_neon(sv_kernels *k)
{
    fill_gemm(k);
}
