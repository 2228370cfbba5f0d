/* SPDX-License-Identifier: MIT */
/* Panel times token group: smmla, 2 rows x 2 tokens x 8 deep an instruction. */
#include "simd/neon/vec.h"
#include "simd/neon_i8mm/neon_i8mm.h"

#include "simd/product_body.h"

#define TOKENS 2

/* Words 2 j and 2 j + 1 of four rows become 8 deep of rows 0 and 1, and of rows 2 and 3. */
INLINE void prepare(vi *w)
{
    UNROLL(4) for (int j = 0; j < 8; j += 2) {
        vi first = vzip1q_s32(w[j], w[j + 1]);
        w[j + 1] = vzip2q_s32(w[j], w[j + 1]);
        w[j] = first;
    }
}

/* Sums of a pair of rows for either token side by side: [0] of rows 0 and 1, [1] of 2 and 3. */
typedef struct sums { vi s[2]; } sums;

/* 16 deep more. */
INLINE sums four_words(sums a, const vi *w, const int8_t *q0, const int8_t *q1)
{
    int64x2_t x0 = vreinterpretq_s64_s8(vld1q_s8(q0)), x1 = vreinterpretq_s64_s8(vld1q_s8(q1));
    int8x16_t low = vreinterpretq_s8_s64(vzip1q_s64(x0, x1));
    int8x16_t high = vreinterpretq_s8_s64(vzip2q_s64(x0, x1));
    a.s[0] = vmmlaq_s32(vmmlaq_s32(a.s[0], AS_BYTES(w[0]), low), AS_BYTES(w[2]), high);
    a.s[1] = vmmlaq_s32(vmmlaq_s32(a.s[1], AS_BYTES(w[1]), low), AS_BYTES(w[3]), high);
    return a;
}

/* Half h of both tokens' results. */
INLINE void put(vi (*d)[2], int h, sums a)
{
    d[0][h] = vuzp1q_s32(a.s[0], a.s[1]);
    d[1][h] = vuzp2q_s32(a.s[0], a.s[1]);
}

INLINE void dots(vi (*d)[2], const vi *w, const int8_t *const *q, int form)
{
    const sums none = { { vi_zero(), vi_zero() } };
    sums first = four_words(none, w, q[0], q[1]);
    if (form & SV_FORM_HALF) {
        put(d, 0, first);
        put(d, 1, four_words(none, w + 4, q[0] + 16, q[1] + 16));
        return;
    }
    put(d, 0, four_words(first, w + 4, q[0] + 16, q[1] + 16));
    d[0][1] = d[1][1] = vi_zero();
}

#include "simd/gemm_body.h"

void sv_gemm_quant_fill_neon_i8mm(sv_kernels *k)
{
    fill_gemm(k);
}
