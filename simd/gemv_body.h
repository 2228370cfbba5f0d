/* SPDX-License-Identifier: MIT */
/* One token times a packed panel, for every set: decoding reads every weight once, so nothing
 * is stored between unpacking and the product. What STORED and STORED_SIGNED add, exact() of
 * product_body.h takes off. */

typedef struct product {
    const sv_qtoken *x;           /* of the block's first slab       */
    const char *ahead;            /* what will be read a while later */
    int share;                    /* of it a slab's worth            */
    int is_signed;
    vi dot[2];                    /* of each half of the depth       */
    vf scale[2], min[2], y;
} product;

#define OUT product
#define PUT(o, g, i, p, v) \
    (o)->dot[(i) / 4] = vi_dot((o)->dot[(i) / 4], v, &(o)->x[g].q[4 * (i)], (o)->is_signed)
#define SCALE(o, g, h, p, v) (o)->scale[h] = (v)
#define MIN(o, g, h, p, v) (o)->min[h] = (v)
#define DONE(o, g, p, form, zero) slab_done(o, g, form, zero)

INLINE void slab_done(product *o, int g, int form, int zero)
{
    for (int i = 0; i < o->share; i += 64)
        prefetch(o->ahead + g * o->share + i);
    o->y = finish(o->y, o->dot, o->scale, o->min, &o->x[g], form, zero);
    o->dot[0] = o->dot[1] = vi_zero();
}

#include "simd/expand_body.h"

enum {
    /* Prefetched slab by slab: far enough ahead for memory, near enough to stay in the
     * first-level cache. */
    AHEAD = 4096,
    Q8_0 = 8, IQ4_NL = 20         /* the types with signed bytes */
};

#define GEMV(name, type, bytes, slabs)                                                        \
    static void gemv_##name(float *y, const uint8_t *packed, const sv_qtoken *x, int n_rows,  \
                            int n_blocks, int add)                                            \
    {                                                                                         \
        float sum[SV_PANEL_ROWS] = { 0 };                                                     \
        product o[PARTS];                                                                     \
        if (add)                                                                              \
            memcpy(sum, y, (size_t)n_rows * sizeof *y);                                       \
        UNROLL(4) for (int p = 0; p < PARTS; p++)                                             \
            o[p] = (product){ .share = bytes * LANES / slabs, .y = vf_load(sum + p * LANES),  \
                              .is_signed = type == Q8_0 || type == IQ4_NL,                    \
                              .dot = { vi_zero(), vi_zero() } };                              \
        for (; n_blocks--; x += slabs, packed += bytes * SV_PANEL_ROWS)                       \
            UNROLL(4) for (int p = 0; p < PARTS; p++) {                                       \
                o[p].x = x;                                                                   \
                o[p].ahead = (const char *)packed + AHEAD + p * bytes * LANES;                \
                read_##name(&o[p], packed, p);                                                \
            }                                                                                 \
        UNROLL(4) for (int p = 0; p < PARTS; p++)                                             \
            vf_store(sum + p * LANES, o[p].y);                                                \
        memcpy(y, sum, (size_t)n_rows * sizeof *y);                                           \
    }
READERS(GEMV)

static void fill_gemv(sv_kernels *k)
{
#define FILL(name, type, bytes, slabs) k->gemv_quant[type] = gemv_##name;
    READERS(FILL)
}
