/* SPDX-License-Identifier: MIT */
/* Sixteen rows of blocks side by side. Words are transposed four at a time: a
 * vector takes 16 bytes each of rows r, r + 4, r + 8, r + 12, and two rounds of
 * unpacking bring every word's sixteen rows together in order. */
#include <string.h>

#include "simd/avx512/avx512.h"

static const uint8_t nothing[256];    /* stands for rows that are absent */

typedef struct rows { const uint8_t *p[SV_PANEL_ROWS]; } rows;

static inline __m512i four_rows(const rows *r, int first, size_t at)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(r->p[first] + at)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(r->p[first + 4] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(r->p[first + 8] + at)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(r->p[first + 12] + at)), 3);
}

/* Words 0..3 at byte `at` of each row. */
static inline void four_words(uint8_t *dst, const rows *r, size_t at)
{
    __m512i a = four_rows(r, 0, at), b = four_rows(r, 1, at);
    __m512i c = four_rows(r, 2, at), d = four_rows(r, 3, at);
    __m512i ab0 = _mm512_unpacklo_epi32(a, b), ab1 = _mm512_unpackhi_epi32(a, b);
    __m512i cd0 = _mm512_unpacklo_epi32(c, d), cd1 = _mm512_unpackhi_epi32(c, d);
    _mm512_storeu_si512(dst, _mm512_unpacklo_epi64(ab0, cd0));
    _mm512_storeu_si512(dst + 64, _mm512_unpackhi_epi64(ab0, cd0));
    _mm512_storeu_si512(dst + 128, _mm512_unpacklo_epi64(ab1, cd1));
    _mm512_storeu_si512(dst + 192, _mm512_unpackhi_epi64(ab1, cd1));
}

static inline uint8_t *words(uint8_t *dst, const rows *r, size_t at, int n)
{
    int i = 0;
    for (; i + 4 <= n; i += 4, dst += 256, at += 16)
        four_words(dst, r, at);
    for (; i < n; i++, at += 4)
        for (int k = 0; k < SV_PANEL_ROWS; k++, dst += 4)
            memcpy(dst, r->p[k] + at, 4);
    return dst;
}

static inline uint8_t *halves(uint8_t *dst, const rows *r, size_t at, int n)
{
    for (int i = 0; i < n; i++, at += 2)
        for (int k = 0; k < SV_PANEL_ROWS; k++, dst += 2)
            memcpy(dst, r->p[k] + at, 2);
    return dst;
}

void sv_pack_avx512(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                    const sv_block_shape *s)
{
    size_t front = 2u * s->front, middle = front + 4u * s->words, block = middle + 2u * s->back;
    rows r;
    for (int k = 0; k < SV_PANEL_ROWS; k++)
        r.p[k] = k < n_rows ? src + (size_t)k * row_bytes : nothing;
    for (int b = 0; b < n_blocks; b++) {
        dst = halves(dst, &r, 0, s->front);
        dst = words(dst, &r, front, s->words);
        dst = halves(dst, &r, middle, s->back);
        for (int k = 0; k < n_rows; k++)
            r.p[k] += block;
    }
}
