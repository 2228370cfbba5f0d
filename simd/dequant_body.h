/* SPDX-License-Identifier: MIT */
/* Blocks of one row to floats, and such floats times others without being stored, for every
 * set; the floats have the same roundings as ref's, so the same bits.
 * expand_body.h reads the blocks: its lanes are here the bytes of four words of a row,
 * sixteen values, and its floats four times the same scale. Beside what it asks for, the
 * file that includes this defines LANES as 4, and
 *
 *     vi_by_lane(v)                    lane l shifted right by 4 l bits
 *     half_all(h)                      a half (uint16_t) as a float in every lane (vf)
 *
 * and vectors of W floats:
 *
 *     wide; wide_all(v)                lane 0 of a vf in every lane
 *     wide_bytes(v, j)                 signed bytes j W .. of a vi
 *     wide_mul wide_add wide_fma(a, b, c) wide_load(p) wide_store(p, v)
 */
#include <string.h>

/* A row's block has one part; offsets are a sixteenth of those in a packed block. */
#define ROW_WORD(b, front, w, p) ((void)(p), (b) + ((front) * 2 + (w) * 4))
#define STEP LANES
#define WORD(b, front, w, p) vi_load(ROW_WORD(b, front, w, p))
#define SCALES(b, front, w, p) word_all(ROW_WORD(b, front, w, p))
#define BITS(b, front, w, p) vi_by_lane(SCALES(b, front, w, p))
#define HALF(b, offset, h, p) half_at((b) + ((offset) / SV_PANEL_ROWS + (h) * 2))

enum { CHAINS = 32 / W };

/* 32 values on their way: to y, or times x into the sums. */
typedef struct values {
    int dot;                      /* 1: the latter                */
    float *y;                     /* where the block's first goes */
    const float *x;               /* what it is multiplied by     */
    wide sum[CHAINS];
    vi q[2];
    vf scale[2], min[2];          /* of each 16, or [0] only      */
} values;

#define OUT values
#define PUT(o, g, i, p, v) (o)->q[(i) / LANES] = (v)
#define SCALE(o, g, h, p, v) (o)->scale[h] = (v)
#define MIN(o, g, h, p, v) (o)->min[h] = (v)
#define DONE(o, g, p, form, zero) put_values(o, g, form)

#include "simd/inline.h"

INLINE vi word_all(const uint8_t *p)
{
    int32_t w;
    memcpy(&w, p, sizeof w);
    return vi_set(w);
}

INLINE vf half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return half_all(h);
}

INLINE void put_values(values *o, int g, int form)
{
    UNROLL(2) for (int h = 0; h < 2; h++) {
        int own = form & SV_FORM_HALF ? h : 0;
        wide scale = wide_all(o->scale[own]);
        UNROLL(4) for (int j = 0; j < 16 / W; j++) {
            wide v = wide_mul(scale, wide_bytes(o->q[h], j));
            if (form & SV_FORM_MIN)
                v = wide_add(v, wide_all(o->min[own]));
            int at = 16 * h + W * j;
            if (o->dot)
                o->sum[at / W] = wide_fma(v, wide_load(o->x + 32 * g + at), o->sum[at / W]);
            else
                wide_store(o->y + 32 * g + at, v);
        }
    }
}

#include "simd/expand_body.h"

#define DEQUANT(name, type, bytes, slabs)                             \
    static void dequant_##name(float *y, const void *x, size_t n)     \
    {                                                                 \
        const uint8_t *b = x;                                         \
        values o = { .y = y };                                        \
        for (; n; n -= slabs * 32, o.y += slabs * 32, b += bytes)     \
            read_##name(&o, b, 0);                                    \
    }
READERS(DEQUANT)

INLINE float sum_of_chains(const values *o)
{
    float s[32];
    UNROLL(8) for (int i = 0; i < CHAINS; i++)
        wide_store(s + i * W, o->sum[i]);
    for (int n = 16; n; n /= 2)
        for (int i = 0; i < n; i++)
            s[i] += s[i + n];
    return s[0];
}

#define DOT_ROW(name, type, bytes, slabs)                                  \
    static float dot_row_##name(const void *w, const float *x, size_t n)   \
    {                                                                      \
        const uint8_t *b = w;                                              \
        values o = { .dot = 1, .x = x };                                   \
        for (; n; n -= slabs * 32, o.x += slabs * 32, b += bytes)          \
            read_##name(&o, b, 0);                                         \
        return sum_of_chains(&o);                                          \
    }
READERS(DOT_ROW)

static void fill_dequant(sv_kernels *k)
{
#define FILL(name, type, bytes, slabs)     \
    k->dequant[type] = dequant_##name;     \
    k->dot_row[type] = dot_row_##name;
    READERS(FILL)
}
