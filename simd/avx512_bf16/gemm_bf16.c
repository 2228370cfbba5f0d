/* SPDX-License-Identifier: MIT */
/* Panel times token group in bfloat16: a lane is an output row; each vdpbf16ps takes a
 * pair of depth of 16 rows and broadcasts the same pair of one token from memory. */
#include <immintrin.h>

#include "simd/avx512_bf16/avx512_bf16.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 dot_pair(__m512 y, __m512i w, const uint16_t *pair)
{
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(y) : "v"(w), "m"(*(const uint16_t(*)[2])pair));
    return y;
}

/* n is a constant wherever this is inlined. */
INLINE void tile(float *y, size_t ldy, const uint16_t *w, const uint16_t *x, size_t ldx, int n,
                 int n_rows, int n_pairs)
{
    __mmask16 rows = (__mmask16)((1u << n_rows) - 1);
    __m512 sum[SV_GROUP];
#pragma GCC unroll 16
    for (int t = 0; t < n; t++)
        sum[t] = _mm512_setzero_ps();
    for (int i = 0; i < n_pairs; i++, w += 2 * SV_PANEL_ROWS, x += 2) {
        __m512i v = _mm512_loadu_si512(w);
#pragma GCC unroll 16
        for (int t = 0; t < n; t++)
            sum[t] = dot_pair(sum[t], v, x + (size_t)t * ldx);
    }
#pragma GCC unroll 16
    for (int t = 0; t < n; t++)
        _mm512_mask_storeu_ps(y + (size_t)t * ldy, rows, sum[t]);
}

void sv_gemm_bf16_avx512_bf16(float *y, size_t ldy, const uint16_t *w, const uint16_t *x, size_t ldx,
                              int n, int n_rows, int n_pairs)
{
    for (; n >= 16; n -= 16, y += 16 * ldy, x += 16 * ldx)
        tile(y, ldy, w, x, ldx, 16, n_rows, n_pairs);
    if (n >= 8) {
        tile(y, ldy, w, x, ldx, 8, n_rows, n_pairs);
        n -= 8, y += 8 * ldy, x += 8 * ldx;
    }
    for (; n > 0; n--, y += ldy, x += ldx)
        tile(y, ldy, w, x, ldx, 1, n_rows, n_pairs);
}
