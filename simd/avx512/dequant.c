/* SPDX-License-Identifier: MIT */
/* Blocks to floats, 16 of them at once. */
#include "simd/avx2/row_vec.h"
#include "simd/avx512/avx512.h"

#define W 16
typedef __m512 wide;
#define wide_all(v) _mm512_broadcastss_ps(v)
#define wide_bytes(v, j) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v))
#define wide_mul(a, b) _mm512_mul_ps(a, b)
#define wide_add(a, b) _mm512_add_ps(a, b)
#define wide_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define wide_load(p) _mm512_loadu_ps(p)
#define wide_store(p, v) _mm512_storeu_ps(p, v)

#include "simd/dequant_body.h"

void sv_dequant_fill_avx512(sv_kernels *k)
{
    fill_dequant(k);
}
