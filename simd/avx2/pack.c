/* SPDX-License-Identifier: MIT */
/* Sixteen rows of blocks or floats side by side. */
#include "simd/avx2/avx2.h"

static inline void transpose(uint8_t *dst, const uint8_t *const *src)
{
    __m128i a = _mm_loadu_si128((const void *)src[0]), b = _mm_loadu_si128((const void *)src[1]);
    __m128i c = _mm_loadu_si128((const void *)src[2]), d = _mm_loadu_si128((const void *)src[3]);
    __m128i ab0 = _mm_unpacklo_epi32(a, b), ab1 = _mm_unpackhi_epi32(a, b);
    __m128i cd0 = _mm_unpacklo_epi32(c, d), cd1 = _mm_unpackhi_epi32(c, d);
    _mm_storeu_si128((void *)dst, _mm_unpacklo_epi64(ab0, cd0));
    _mm_storeu_si128((void *)(dst + 64), _mm_unpackhi_epi64(ab0, cd0));
    _mm_storeu_si128((void *)(dst + 128), _mm_unpacklo_epi64(ab1, cd1));
    _mm_storeu_si128((void *)(dst + 192), _mm_unpackhi_epi64(ab1, cd1));
}
#define prefetch(p) _mm_prefetch(p, _MM_HINT_T1)

#include "simd/pack_body.h"

void sv_pack_avx2(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                  const sv_block_shape *s)
{
    pack(dst, src, row_bytes, n_rows, n_blocks, s);
}

void sv_panel_f32_avx2(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    panel_f32(dst, x, ldx, n_rows, depth);
}
