/* SPDX-License-Identifier: MIT */
/* The vectors of float_body.h: 16 floats. */
#include "simd/avx512/avx512.h"
#include "simd/avx512/transpose.h"

#define W 16
#define GEMM_COLS 4
#define PANEL_TILE 16
typedef __m512 vf;
#define MASK(n) ((__mmask16)((1u << (n)) - 1))
#define vf_load(p) _mm512_loadu_ps(p)
#define vf_store(p, v) _mm512_storeu_ps(p, v)
#define vf_part(p, n) _mm512_maskz_loadu_ps(MASK(n), p)
#define vf_put_part(p, v, n) _mm512_mask_storeu_ps(p, MASK(n), v)
#define vf_half(p) _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p)))
#define vf_half_part(p, n) _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(MASK(n), p))
#define vf_put_half(p, v) \
    _mm256_storeu_si256((void *)(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT))
#define vf_set(x) _mm512_set1_ps(x)
#define vf_first(v) _mm512_cvtss_f32(v)
#define vf_add(a, b) _mm512_add_ps(a, b)
#define vf_sub(a, b) _mm512_sub_ps(a, b)
#define vf_mul(a, b) _mm512_mul_ps(a, b)
#define vf_div(a, b) _mm512_div_ps(a, b)
#define vf_max(x, v) _mm512_max_ps(x, v)
#define vf_min(x, v) _mm512_min_ps(x, v)
#define vf_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vf_abs(v) _mm512_abs_ps(v)
#define vf_sum(v) _mm512_reduce_add_ps(v)
#define vf_top(v) _mm512_reduce_max_ps(v)
#define vf_at_least(v, x, low) \
    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(low), _CMP_NLT_UQ), v)
#define vf_swap(v) _mm512_permute_ps(v, 0xb1)
#define vf_addsub(a, b, c) _mm512_fmaddsub_ps(a, b, c)

static inline vf vf_shift_exponent(vf v, vf n)
{
    __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(v), bits));
}

static inline vf doubled(__m256 v)
{
    const __m512i by = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(by, _mm512_castps256_ps512(v));
}
#define vf_twice(p) doubled(_mm256_loadu_ps(p))
#define vf_twice_part(p, n) doubled(_mm256_maskz_loadu_ps((__mmask8)MASK((n) / 2), p))

static inline vf vf_brain(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void vf_put_brain(uint16_t *p, vf v)
{
    __m512i bits = _mm512_castps_si512(v), high = _mm512_srli_epi32(bits, 16);
    __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
    __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    __m512i out = _mm512_mask_mov_epi32(_mm512_srli_epi32(up, 16), nan, quiet);
    _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(out));
}

#include "simd/float_body.h"

static void panel_f32(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    for (int from = 0; from < depth; from += 16, dst += 256) {
        int n = depth - from < 16 ? depth - from : 16;
        __m512i v[SV_PANEL_ROWS];
        UNROLL(16) for (int r = 0; r < SV_PANEL_ROWS; r++)
            v[r] = r < n_rows
                ? _mm512_castps_si512(vf_part(x + (size_t)r * ldx + (size_t)from, n))
                : _mm512_setzero_si512();
        transpose(v);
        UNROLL(16) for (int d = 0; d < 16; d++)
            if (d < n)
                _mm512_storeu_si512(dst + 16 * d, v[d]);
    }
}

void sv_float_fill_avx512(sv_kernels *k)
{
    fill_float(k);
    k->panel_f32 = panel_f32;
}
