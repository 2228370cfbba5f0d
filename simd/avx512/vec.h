/* SPDX-License-Identifier: MIT */
/* The vectors of expand_body.h: 16 rows at once. */
#ifndef SV_AVX512_VEC_H
#define SV_AVX512_VEC_H

#include <string.h>

#include "simd/avx512/avx512.h"

#define LANES 16
typedef __m512i vi;
typedef __m512 vf;
#define vi_load(p) _mm512_loadu_si512(p)
#define vi_set(x) _mm512_set1_epi32(x)
#define vi_set8(x) _mm512_set1_epi8((char)(x))
#define vi_zero() _mm512_setzero_si512()
#define vi_and(a, b) _mm512_and_si512(a, b)
#define vi_or(a, b) _mm512_or_si512(a, b)
#define vi_add(a, b) _mm512_add_epi32(a, b)
#define vi_sub(a, b) _mm512_sub_epi32(a, b)
#define vi_srl(v, n) ((__m512i)((__v16su)(v) >> (n)))
#define vi_sll(v, n) ((__m512i)((__v16su)(v) << (n)))
#define vi_sra(v, n) ((__m512i)((__v16si)(v) >> (n)))
#define vi_add8(a, b) _mm512_add_epi8(a, b)
#define vi_flag8(v, mask, x) _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(v, mask), x)
#define vi_half(p) _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p)))
#define vi_float(v) _mm512_cvtepi32_ps(v)
#define vf_set(x) _mm512_set1_ps(x)
#define vf_load(p) _mm512_loadu_ps(p)
#define vf_store(p, v) _mm512_storeu_ps(p, v)
#define vf_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vf_mul(a, b) _mm512_mul_ps(a, b)
#define vf_neg(a) _mm512_xor_ps(a, _mm512_set1_ps(-0.0f))
#define prefetch(p) _mm_prefetch(p, _MM_HINT_T0)

static inline vi vi_iq4nl(vi v)
{
    const __m128i values = _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38,
                                         53, 69, 89, 113);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(values), v);
}

/* p += w . four activation bytes, broadcast by the instruction itself: written as
 * intrinsics, gcc 12 loads them to a register first, at 1.5 times the cycles. */
static inline __attribute__((always_inline)) vi dot_four(vi p, vi w, const int8_t *four)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(p) : "v"(w), "m"(*(const int8_t(*)[4])four));
    return p;
}

#endif
