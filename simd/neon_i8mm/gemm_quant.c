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

/* 16 deep: each instruction leaves a pair of rows for either token side by side. */
INLINE void four_words(vi *d0, vi *d1, const vi *w, const int8_t *q0, const int8_t *q1)
{
    int8x16_t x0 = vld1q_s8(q0), x1 = vld1q_s8(q1);
    int8x16_t low = vcombine_s8(vget_low_s8(x0), vget_low_s8(x1));
    int8x16_t high = vcombine_s8(vget_high_s8(x0), vget_high_s8(x1));
    vi a = vmmlaq_s32(vmmlaq_s32(vi_zero(), AS_BYTES(w[0]), low), AS_BYTES(w[2]), high);
    vi b = vmmlaq_s32(vmmlaq_s32(vi_zero(), AS_BYTES(w[1]), low), AS_BYTES(w[3]), high);
    *d0 = vuzp1q_s32(a, b);
    *d1 = vuzp2q_s32(a, b);
}

INLINE void dots(vi (*d)[2], const vi *w, const int8_t *const *q, int form)
{
    (void)form;
    four_words(&d[0][0], &d[1][0], w, q[0], q[1]);
    four_words(&d[0][1], &d[1][1], w + 4, q[0] + 16, q[1] + 16);
}

#include "simd/gemm_body.h"

void sv_gemm_quant_fill_neon_i8mm(sv_kernels *k)
{
    fill_gemm(k);
}
