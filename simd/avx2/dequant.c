/* SPDX-License-Identifier: MIT */
/* Blocks to floats, 8 of them at once. */
#include "simd/avx2/avx2.h"
#include "simd/avx2/row_vec.h"

#define W 8
typedef __m256 wide;
#define wide_all(v) _mm256_broadcastss_ps(v)
#define wide_bytes(v, j) \
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32((j) ? _mm_unpackhi_epi64(v, v) : (v)))
#define wide_mul(a, b) _mm256_mul_ps(a, b)
#define wide_add(a, b) _mm256_add_ps(a, b)
#define wide_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define wide_load(p) _mm256_loadu_ps(p)
#define wide_store(p, v) _mm256_storeu_ps(p, v)

#include "simd/dequant_body.h"

void sv_dequant_fill_avx2(sv_kernels *k)
{
    fill_dequant(k);
}
