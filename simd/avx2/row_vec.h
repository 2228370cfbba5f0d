/* SPDX-License-Identifier: MIT */
/* The integer vectors of dequant_body.h, 16 bytes of a row; wider sets use them too. */
#ifndef SV_AVX2_ROW_VEC_H
#define SV_AVX2_ROW_VEC_H

#include <immintrin.h>

#define LANES 4
typedef __m128i vi;
typedef __m128 vf;
#define vi_load(p) _mm_loadu_si128((const void *)(p))
#define vi_set(x) _mm_set1_epi32(x)
#define vi_set8(x) _mm_set1_epi8((char)(x))
#define vi_and(a, b) _mm_and_si128(a, b)
#define vi_or(a, b) _mm_or_si128(a, b)
#define vi_sub(a, b) _mm_sub_epi32(a, b)
#define vi_srl(v, n) ((__m128i)((__v4su)(v) >> (n)))
#define vi_sll(v, n) ((__m128i)((__v4su)(v) << (n)))
#define vi_sra(v, n) ((__m128i)((__v4si)(v) >> (n)))
#define vi_by_lane(v) _mm_srlv_epi32(v, _mm_setr_epi32(0, 4, 8, 12))
#define vi_add8(a, b) _mm_add_epi8(a, b)
#define vi_flag8(v, mask, x) \
    _mm_andnot_si128(_mm_cmpeq_epi8(_mm_and_si128(v, mask), _mm_setzero_si128()), x)
#define vi_iq4nl(v) \
    _mm_shuffle_epi8(_mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, \
                                   53, 69, 89, 113), v)
#define vi_float(v) _mm_cvtepi32_ps(v)
#define vf_mul(a, b) _mm_mul_ps(a, b)
#define vf_neg(a) _mm_xor_ps(a, _mm_set1_ps(-0.0f))
#define half_all(h) _mm_cvtph_ps(_mm_set1_epi16((short)(h)))

/* The bytes are the values. */
#define STORED(zero) (-(zero))
#define STORED_SIGNED 0

#endif
