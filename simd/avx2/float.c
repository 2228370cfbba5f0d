/* SPDX-License-Identifier: MIT */
/* The vectors of float_body.h: 8 floats. */
#include <string.h>

#include "simd/avx2/avx2.h"

#define W 8
#define GEMM_COLS 2
#define PANEL_TILE 6
typedef __m256 vf;
#define vf_load(p) _mm256_loadu_ps(p)
#define vf_store(p, v) _mm256_storeu_ps(p, v)
#define vf_half(p) _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p)))
#define vf_put_half(p, v) \
    _mm_storeu_si128((void *)(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT))
#define vf_set(x) _mm256_set1_ps(x)
#define vf_first(v) _mm256_cvtss_f32(v)
#define vf_add(a, b) _mm256_add_ps(a, b)
#define vf_sub(a, b) _mm256_sub_ps(a, b)
#define vf_mul(a, b) _mm256_mul_ps(a, b)
#define vf_div(a, b) _mm256_div_ps(a, b)
#define vf_max(x, v) _mm256_max_ps(x, v)
#define vf_min(x, v) _mm256_min_ps(x, v)
#define vf_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vf_abs(v) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v)
#define vf_at_least(v, x, low) \
    _mm256_and_ps(v, _mm256_cmp_ps(x, _mm256_set1_ps(low), _CMP_NLT_UQ))
#define vf_swap(v) _mm256_permute_ps(v, 0xb1)
#define vf_addsub(a, b, c) _mm256_fmaddsub_ps(a, b, c)

/* All ones in the first n lanes. */
static inline __m256i first_lanes(int n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}
#define vf_part(p, n) _mm256_maskload_ps(p, first_lanes(n))
#define vf_put_part(p, v, n) _mm256_maskstore_ps(p, first_lanes(n), v)

static inline vf vf_half_part(const uint16_t *p, int n)
{
    uint16_t all[W] = { 0 };
    memcpy(all, p, (size_t)n * sizeof *p);
    return vf_half(all);
}

static inline float vf_sum(vf v)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float vf_top(vf v)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static inline vf vf_shift_exponent(vf v, vf n)
{
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), bits));
}

static inline vf doubled(__m128 v)
{
    const __m256i by = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(v), by);
}
#define vf_twice(p) doubled(_mm_loadu_ps(p))
#define vf_twice_part(p, n) doubled(_mm256_castps256_ps128(vf_part(p, (n) / 2)))

static inline vf vf_brain(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline void vf_put_brain(uint16_t *p, vf v)
{
    __m256i bits = _mm256_castps_si256(v), high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    __m256i out = _mm256_blendv_epi8(_mm256_srli_epi32(up, 16), quiet, nan);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(out, out), 0x08);
    _mm_storeu_si128((void *)p, _mm256_castsi256_si128(packed));
}

#include "simd/float_body.h"

void sv_float_fill_avx2(sv_kernels *k)
{
    fill_float(k);
}
