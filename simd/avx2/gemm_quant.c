/* SPDX-License-Identifier: MIT */
/* Panel times token group with vpmaddubsw. Sums of two products are added up in 16 bits as
 * long as they fit: four of 31 * 127 * 2, two of 63 * 127 * 2, one of 128 * 127 * 2. */
#include "simd/avx2/vec.h"

#include "simd/product_body.h"

#define TOKENS 1
#define prepare(w)

INLINE vi four_words(const vi *w, const int8_t *q, int form)
{
    vi p[4];
    UNROLL(4) for (int i = 0; i < 4; i++)
        p[i] = vi_pairs(w[i], vi_four(q + 4 * i), form & SV_FORM_SIGNED);
    if (form & SV_FORM_SIGNED) {
        vi low = _mm256_add_epi32(vi_sum_pairs(p[0]), vi_sum_pairs(p[1]));
        return _mm256_add_epi32(low, _mm256_add_epi32(vi_sum_pairs(p[2]), vi_sum_pairs(p[3])));
    }
    vi low = _mm256_add_epi16(p[0], p[1]), high = _mm256_add_epi16(p[2], p[3]);
    if (form & SV_FORM_HALF)
        return _mm256_add_epi32(vi_sum_pairs(low), vi_sum_pairs(high));
    return vi_sum_pairs(_mm256_add_epi16(low, high));
}

INLINE void dots(vi (*d)[2], const vi *w, const int8_t *const *q, int form)
{
    d[0][0] = four_words(w, q[0], form);
    d[0][1] = four_words(w + 4, q[0] + 16, form);
}

#include "simd/gemm_body.h"

void sv_gemm_quant_fill_avx2(sv_kernels *k)
{
    fill_gemm(k);
}
