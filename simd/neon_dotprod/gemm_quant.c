/* SPDX-License-Identifier: MIT */
/* Panel times token group: sdot by lane, 4 rows x 4 deep an instruction. */
#include "simd/neon/vec.h"
#include "simd/neon_dotprod/neon_dotprod.h"

#include "simd/product_body.h"

#define TOKENS 1
#define prepare(w)

INLINE vi four_words(const vi *w, const int8_t *q)
{
    int8x16_t x = vld1q_s8(q);
    vi d = vdotq_laneq_s32(vi_zero(), AS_BYTES(w[0]), x, 0);
    d = vdotq_laneq_s32(d, AS_BYTES(w[1]), x, 1);
    d = vdotq_laneq_s32(d, AS_BYTES(w[2]), x, 2);
    return vdotq_laneq_s32(d, AS_BYTES(w[3]), x, 3);
}

INLINE void dots(vi (*d)[2], const vi *w, const int8_t *const *q, int form)
{
    (void)form;
    d[0][0] = four_words(w, q[0]);
    d[0][1] = four_words(w + 4, q[0] + 16);
}

#include "simd/gemm_body.h"

void sv_gemm_quant_fill_neon_dotprod(sv_kernels *k)
{
    fill_gemm(k);
}
