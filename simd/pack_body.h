/* SPDX-License-Identifier: MIT */
/* Sixteen rows of blocks or floats side by side, for sets with vectors of four words: words go
 * four by four through a transposition; the last four may overlap those before. The file that
 * includes this defines transpose(dst, src), 4 words each of rows src[0..4) to dst, 64 bytes
 * apart, and prefetch(p). */
#include <string.h>

static const uint8_t nothing[256];    /* stands for rows that are absent: 64 words */

typedef struct rows { const uint8_t *p[SV_PANEL_ROWS]; } rows;

static void four_words(uint8_t *dst, const rows *r, size_t at)
{
    for (int k = 0; k < SV_PANEL_ROWS; k += 4) {
        const uint8_t *src[4] = { r->p[k] + at, r->p[k + 1] + at, r->p[k + 2] + at,
                                  r->p[k + 3] + at };
        transpose(dst + 4 * k, src);
    }
}

static uint8_t *words(uint8_t *dst, const rows *r, size_t at, int n)
{
    for (int i = 0; i + 4 < n; i += 4)
        four_words(dst + 64 * i, r, at + 4 * (size_t)i);
    four_words(dst + 64 * (n - 4), r, at + 4 * (size_t)(n - 4));
    return dst + 64 * n;
}

static uint8_t *halves(uint8_t *dst, const rows *r, size_t at, int n)
{
    for (int i = 0; i < n; i++, at += 2)
        for (int k = 0; k < SV_PANEL_ROWS; k++, dst += 2)
            memcpy(dst, r->p[k] + at, 2);
    return dst;
}

static void pack(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
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
        for (int k = 0; k < n_rows; k++) {
            r.p[k] += block;
            prefetch((const char *)r.p[k] + SV_PANEL_ROWS * row_bytes);     /* the next panel */
        }
    }
}

static void floats_one_by_one(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    for (int d = 0; d < depth; d++)
        for (int r = 0; r < SV_PANEL_ROWS; r++)
            *dst++ = r < n_rows ? x[(size_t)r * ldx + (size_t)d] : 0;
}

static void panel_f32(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    if (depth < 4)
        floats_one_by_one(dst, x, ldx, n_rows, depth);
    for (int from = 0; depth >= 4 && from < depth; from += 64) {
        int left = depth - from, at = left < 4 ? depth - 4 : from;
        rows r;
        for (int k = 0; k < SV_PANEL_ROWS; k++)
            r.p[k] = k < n_rows ? (const uint8_t *)(x + (size_t)k * ldx + (size_t)at) : nothing;
        words((uint8_t *)(dst + SV_PANEL_ROWS * at), &r, 0, left < 4 ? 4 : left < 64 ? left : 64);
    }
}
