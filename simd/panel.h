/* SPDX-License-Identifier: MIT */
/* Integer products: how weights and activations lie in memory.
 *
 * A vector lane is an output row. Sixteen rows of a quantised matrix make a
 * panel; a panel exists in two forms:
 *
 *   packed    the file's own bits, only transposed: block by block, first the
 *             halves of the block as [half][16 rows], then its 32-bit words as
 *             [word][16 rows]. As large as the rows were.
 *   expanded  bytes ready for dot products, 32 deep at a time (sv_slab), with
 *             the scales multiplied out. Lives in the cache only.
 *
 * Activations are quantised to 8 bits with one float scale per 32, up to sixteen
 * tokens side by side (sv_qtoken).
 *
 * Arithmetic, the same in every kernel set, so results are equal to the last
 * bit whatever the set, the threads and the number of tokens: for each 32 of
 * depth in order, with exact integer dot products p,
 *
 *     y = fma((float)p, w_scale * x_scale, y);
 *
 * or, with a scale for each 16 of depth (0 and 1),
 *
 *     y = fma(fma((float)p1, w_scale1, (float)p0 * w_scale0), x_scale, y);
 *
 * and in types with a minimum, for the 32 or for each 16,
 *
 *     y = fma(w_min, x_sum, y);
 */
#ifndef SV_PANEL_H
#define SV_PANEL_H

#include <stddef.h>
#include <stdint.h>

enum {
    SV_PANEL_ROWS = 16,
    SV_GROUP = 16,                /* tokens side by side                   */
    SV_DEPTH = 32
};

/* 32 deep of one token: a cache line. A group of n tokens lies as [k / 32][n]. */
typedef struct sv_qtoken {
    int8_t q[SV_DEPTH];           /* -127..127                             */
    float scale;                  /* x = scale * q                         */
    float sum[3];                 /* scale * sum of q: of the first 16 of depth, the
                                     second, all                           */
    int32_t off[3];               /* -128 * sum of q, likewise             */
    int32_t unused;
} sv_qtoken;

/* 32 deep of an expanded panel. What a byte means is the set's own affair (with
 * or without an offset); q[i][r][j] belongs to depth 4 i + j of row r. */
typedef struct sv_slab {
    uint8_t q[SV_DEPTH / 4][SV_PANEL_ROWS][4];
    float scale[2][SV_PANEL_ROWS];  /* [0] only, or of each 16 of depth    */
    float min[2][SV_PANEL_ROWS];    /* likewise, in types that have one    */
} sv_slab;

/* What a product has to know of a type beside its bits. */
enum {
    SV_FORM_HALF = 1,             /* a scale (and minimum) per 16 of depth */
    SV_FORM_MIN = 2,              /* has minima                            */
    SV_FORM_SIGNED = 4,           /* values need all 8 bits and a sign     */
    SV_FORMS = 8
};

/* A block as transposable pieces. */
typedef struct sv_block_shape {
    uint8_t front;                /* 16-bit halves before the words        */
    uint8_t words;                /* 32-bit words                          */
    uint8_t back;                 /* halves after them                     */
    uint8_t slabs;                /* depth / 32; 0: no integer path        */
    uint8_t form;
    uint8_t zero;                 /* what the stored number exceeds the value by */
} sv_block_shape;

extern const sv_block_shape sv_block_shapes[];      /* [SV_KERNEL_TYPES] */

/* Bytes of one packed panel of depth k. */
static inline size_t sv_packed_bytes(const sv_block_shape *s, int k)
{
    size_t block = (size_t)(s->front + s->back) * 2 + (size_t)s->words * 4;
    return block * SV_PANEL_ROWS * (size_t)(k / (s->slabs * SV_DEPTH));
}

#endif
