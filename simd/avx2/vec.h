/* SPDX-License-Identifier: MIT */
/* The vectors of expand_body.h: 8 rows at once. */
#ifndef SV_AVX2_VEC_H
#define SV_AVX2_VEC_H

#include <string.h>

#include "simd/avx2/avx2.h"

#define LANES 8
typedef __m256i vi;
typedef __m256 vf;
#define vi_load(p) _mm256_loadu_si256((const void *)(p))
#define vi_store(p, v) _mm256_storeu_si256((void *)(p), v)
#define vi_zero() _mm256_setzero_si256()
#define vi_set(x) _mm256_set1_epi32(x)
#define vi_set8(x) _mm256_set1_epi8((char)(x))
#define vi_and(a, b) _mm256_and_si256(a, b)
#define vi_or(a, b) _mm256_or_si256(a, b)
#define vi_add(a, b) _mm256_add_epi32(a, b)
#define vi_sub(a, b) _mm256_sub_epi32(a, b)
#define vi_srl(v, n) ((__m256i)((__v8su)(v) >> (n)))
#define vi_sll(v, n) ((__m256i)((__v8su)(v) << (n)))
#define vi_sra(v, n) ((__m256i)((__v8si)(v) >> (n)))
#define vi_add8(a, b) _mm256_add_epi8(a, b)
#define vi_flag8(v, mask, x) \
    _mm256_andnot_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, mask), _mm256_setzero_si256()), x)
#define vi_half(p) _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p)))
#define vi_float(v) _mm256_cvtepi32_ps(v)
#define vf_set(x) _mm256_set1_ps(x)
#define vf_load(p) _mm256_loadu_ps(p)
#define vf_store(p, v) _mm256_storeu_ps(p, v)
#define vf_mul(a, b) _mm256_mul_ps(a, b)
#define vf_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vf_neg(a) _mm256_xor_ps(a, _mm256_set1_ps(-0.0f))
#define prefetch(p) _mm_prefetch(p, _MM_HINT_T0)

static inline vi vi_iq4nl(vi v)
{
    const __m128i values = _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38,
                                         53, 69, 89, 113);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), v);
}

/* The numbers as the file stores them: at most 63 and unsigned, or two's complement. */
#define STORED(zero) 0
#define STORED_SIGNED 0

/* Four activation bytes for every row. */
static inline vi vi_four(const int8_t *q)
{
    int four;
    memcpy(&four, q, 4);
    return _mm256_set1_epi32(four);
}

/* Sums of two products, as 16 bits. They fit: 128 * 127 * 2 < 2^15, and activations are never
 * -128, so that their sign can be changed. */
static inline vi vi_pairs(vi w, vi four, int is_signed)
{
    if (is_signed)
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(four, w));
    return _mm256_maddubs_epi16(w, four);
}

static inline vi vi_sum_pairs(vi pairs)
{
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/* off is -128 * sum of the activations, zero a power of two: the shift is exact. */
static inline vi exact(vi dot, const sv_qtoken *x, int part, int form, int zero)
{
    if (form & (SV_FORM_MIN | SV_FORM_SIGNED))
        return dot;
    return _mm256_add_epi32(dot, _mm256_set1_epi32(x->off[part] / 128 * zero));
}

#endif
