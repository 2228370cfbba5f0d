/* SPDX-License-Identifier: MIT */
/* Sixteen rows of blocks side by side. Words are transposed four at a time: a
 * vector takes 16 bytes each of rows r, r + 4, r + 8, r + 12, and two rounds of
 * unpacking bring every word's sixteen rows together in order. */
#include <string.h>

#include "simd/avx512/avx512.h"
#include "simd/avx512/transpose.h"

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

/* At least four words; the last four may overlap those before. */
static inline uint8_t *words(uint8_t *dst, const rows *r, size_t at, int n)
{
    for (int i = 0; i + 4 < n; i += 4)
        four_words(dst + 64 * i, r, at + 4 * i);
    four_words(dst + 64 * (n - 4), r, at + 4 * (n - 4));
    return dst + 64 * n;
}

/* The word at byte `at` + (high ? 12 : 0) of each row. */
static inline __m512i one_word(const rows *r, size_t at, int high)
{
    __m512i a = four_rows(r, 0, at), b = four_rows(r, 1, at);
    __m512i c = four_rows(r, 2, at), d = four_rows(r, 3, at);
    if (high)
        return _mm512_unpackhi_epi64(_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    return _mm512_unpacklo_epi64(_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
}

/* n <= 2 halves: the low ones first of a vector of words, or the high ones last. */
static inline uint8_t *halves(uint8_t *dst, __m512i words, int n, int last)
{
    if (n == 2 || (n == 1 && !last)) {
        _mm256_storeu_si256((void *)dst, _mm512_cvtepi32_epi16(words));
        dst += 32;
    }
    if (n == 2 || (n == 1 && last)) {
        _mm256_storeu_si256((void *)dst, _mm512_cvtepi32_epi16(_mm512_srli_epi32(words, 16)));
        dst += 32;
    }
    return dst;
}

/* Q4_0 and its like, three blocks at once: of 54 bytes the three times 16 first, the halves
 * behind. */
static uint8_t *three_blocks(uint8_t *dst, const rows *r, size_t ahead)
{
    static const uint8_t order[64] = {
        2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25,
        26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
        50, 51, 52, 53, 0, 1, 18, 19, 36, 37
    };
    const __m512i by = _mm512_loadu_si512(order);
    __m512i v[16];
#pragma GCC unroll 16
    for (int k = 0; k < 16; k++) {
        _mm_prefetch((const char *)r->p[k] + ahead, _MM_HINT_T1);
        v[k] = _mm512_permutexvar_epi8(by, _mm512_maskz_loadu_epi8((1ull << 54) - 1, r->p[k]));
    }
    transpose(v);
    const __m512i d[3] = { v[12], _mm512_srli_epi32(v[12], 16), v[13] };
#pragma GCC unroll 3
    for (int b = 0; b < 3; b++, dst += 32 + 256) {
        _mm256_storeu_si256((void *)dst, _mm512_cvtepi32_epi16(d[b]));
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            _mm512_storeu_si512(dst + 32 + 64 * i, v[4 * b + i]);
    }
    return dst;
}

/* Whoever packs a panel is likely to want the next one: lines that begin in bytes [from, to)
 * of its rows. */
static inline void prefetch(const uint8_t *src, size_t row_bytes, size_t from, size_t to)
{
    const char *next = (const char *)src + SV_PANEL_ROWS * row_bytes;
    for (size_t at = (from + 63) / 64 * 64; at < to; at += 64)
        for (size_t k = 0; k < SV_PANEL_ROWS; k++)
            _mm_prefetch(next + k * row_bytes + at, _MM_HINT_T1);
}

void sv_pack_avx512(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                    const sv_block_shape *s)
{
    size_t front = 2u * s->front, middle = front + 4u * s->words, block = middle + 2u * s->back;
    size_t ahead = SV_PANEL_ROWS * row_bytes;
    rows r;
    for (int k = 0; k < SV_PANEL_ROWS; k++)
        r.p[k] = k < n_rows ? src + (size_t)k * row_bytes : nothing;
    int b = 0;
    for (; block == 18 && b + 3 <= n_blocks; b += 3) {
        dst = three_blocks(dst, &r, ahead);
        for (int k = 0; k < n_rows; k++)
            r.p[k] += 3 * block;
    }
    for (; b < n_blocks; b++) {
        prefetch(src, row_bytes, (size_t)b * block, (size_t)(b + 1) * block);
        if (s->front)
            dst = halves(dst, one_word(&r, 0, 0), s->front, 0);
        dst = words(dst, &r, front, s->words);
        if (s->back)
            dst = halves(dst, one_word(&r, block - 16, 1), s->back, 1);
        for (int k = 0; k < n_rows; k++)
            r.p[k] += block;
    }
}
