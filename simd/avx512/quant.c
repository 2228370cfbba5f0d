/* SPDX-License-Identifier: MIT */
/* Activations to 8 bits, 32 of one token at a time. */
#include <math.h>
#include <string.h>

#include "simd/avx512/avx512.h"

static const float TINY = 1e-30f;

static void quant_token(sv_qtoken *o, const float *x)
{
    __m512 lo = _mm512_loadu_ps(x), hi = _mm512_loadu_ps(x + 16);
    __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i top = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(lo), magnitude),
                                   _mm512_and_si512(_mm512_castps_si512(hi), magnitude));
    uint32_t bits = _mm512_reduce_max_epu32(top);
    float amax;
    memcpy(&amax, &bits, 4);
    int finite = bits < 0x7f800000u, some = finite && amax >= TINY;
    __m512i qlo = _mm512_setzero_si512(), qhi = qlo;
    if (some) {
        __m512 inverse = _mm512_set1_ps(127.0f / amax);
        qlo = _mm512_cvtps_epi32(_mm512_mul_ps(lo, inverse));
        qhi = _mm512_cvtps_epi32(_mm512_mul_ps(hi, inverse));
    }
    int sum[3] = { _mm512_reduce_add_epi32(qlo), _mm512_reduce_add_epi32(qhi), 0 };
    sum[2] = sum[0] + sum[1];
    _mm_storeu_si128((void *)o->q, _mm512_cvtepi32_epi8(qlo));
    _mm_storeu_si128((void *)(o->q + 16), _mm512_cvtepi32_epi8(qhi));
    o->scale = !finite ? NAN : some ? amax / 127.0f : 0.0f;
    for (int h = 0; h < 3; h++) {
        o->sum[h] = o->scale * (float)sum[h];
        o->off[h] = -128 * sum[h];
    }
    o->unused = 0;
}

void sv_quant_rows_avx512(sv_qtoken *dst, const float *x, size_t ldx, int n, int k)
{
    for (int i = 0; i < k / SV_DEPTH; i++)
        for (int t = 0; t < n; t++, dst++)
            quant_token(dst, x + (size_t)t * ldx + (size_t)i * SV_DEPTH);
}
