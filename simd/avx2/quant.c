/* SPDX-License-Identifier: MIT */
/* Activations to 8 bits, 32 of one token at a time. */
#include <math.h>
#include <string.h>

#include "simd/avx2/avx2.h"

static const float TINY = 1e-30f;

static uint32_t top_of(__m256i v)
{
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

static int sum_of(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

static void quant_token(sv_qtoken *o, const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256 v[4];
    __m256i q[4], top = _mm256_setzero_si256();
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + 8 * i);
        top = _mm256_max_epu32(top, _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude));
        q[i] = _mm256_setzero_si256();
    }
    uint32_t bits = top_of(top);
    float amax;
    memcpy(&amax, &bits, 4);
    int finite = bits < 0x7f800000u, some = finite && amax >= TINY;
    if (some) {
        __m256 inverse = _mm256_set1_ps(127.0f / amax);
        for (int i = 0; i < 4; i++)
            q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    }
    int sum[3] = { sum_of(_mm256_add_epi32(q[0], q[1])), sum_of(_mm256_add_epi32(q[2], q[3])), 0 };
    sum[2] = sum[0] + sum[1];
    __m256i low = _mm256_packs_epi32(q[0], q[1]), high = _mm256_packs_epi32(q[2], q[3]);
    __m256i bytes = _mm256_packs_epi16(low, high);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((void *)o->q, _mm256_permutevar8x32_epi32(bytes, order));
    o->scale = !finite ? NAN : some ? amax / 127.0f : 0.0f;
    for (int h = 0; h < 3; h++) {
        o->sum[h] = o->scale * (float)sum[h];
        o->off[h] = -128 * sum[h];
    }
    o->unused = 0;
}

void sv_quant_rows_avx2(sv_qtoken *dst, const float *x, size_t ldx, int n, int k)
{
    for (int i = 0; i < k / SV_DEPTH; i++)
        for (int t = 0; t < n; t++, dst++)
            quant_token(dst, x + (size_t)t * ldx + (size_t)i * SV_DEPTH);
}
