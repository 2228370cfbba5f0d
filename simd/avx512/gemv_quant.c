/* SPDX-License-Identifier: MIT */
/* One token times a packed panel: decoding reads every weight once, so nothing is
 * stored between unpacking and the product. */
#include "simd/avx512/vec.h"

/* Unsigned numbers stay as they are; their zero comes off with the sum of the
 * activations: off is -128 * sum, off * zero / 128 an exact shift. */
#define STORED(zero) 0
#define STORED_SIGNED 128

#define ALWAYS static inline __attribute__((always_inline))

typedef struct product {
    const sv_qtoken *x;           /* of the block's first slab */
    const char *ahead;            /* what will be read a while later */
    size_t share;                 /* of it a slab's worth      */
    vi dot[2];                    /* of each half of the depth */
    vf scale[2], min[2], y;
} product;

#define OUT product
#define PUT(o, g, i, p, v) (o)->dot[(i) / 4] = dot_four((o)->dot[(i) / 4], v, &(o)->x[g].q[4 * (i)])
#define SCALE(o, g, h, p, v) (o)->scale[h] = (v)
#define MIN(o, g, h, p, v) (o)->min[h] = (v)
#define DONE(o, g, p, form, zero) finish(o, g, form, zero)

ALWAYS vi offset(const sv_qtoken *x, int part, int form, int zero)
{
    int32_t off = x->off[part];
    if (form & SV_FORM_MIN)
        return _mm512_setzero_si512();
    return _mm512_set1_epi32(form & SV_FORM_SIGNED ? off : off / 128 * zero);
}

ALWAYS vf exact(const sv_qtoken *x, vi dot, int part, int form, int zero)
{
    return _mm512_cvtepi32_ps(_mm512_add_epi32(dot, offset(x, part, form, zero)));
}

ALWAYS void finish(product *o, int g, int form, int zero)
{
    const sv_qtoken *x = &o->x[g];
    for (size_t i = 0; i < o->share; i += 64)
        _mm_prefetch(o->ahead + (size_t)g * o->share + i, _MM_HINT_T0);
    vf x_scale = _mm512_set1_ps(x->scale);
    if (form & SV_FORM_HALF) {
        vf p0 = exact(x, o->dot[0], 0, form, zero), p1 = exact(x, o->dot[1], 1, form, zero);
        p0 = _mm512_fmadd_ps(p1, o->scale[1], _mm512_mul_ps(p0, o->scale[0]));
        o->y = _mm512_fmadd_ps(p0, x_scale, o->y);
    } else {
        vf p = exact(x, _mm512_add_epi32(o->dot[0], o->dot[1]), 2, form, zero);
        o->y = _mm512_fmadd_ps(p, _mm512_mul_ps(o->scale[0], x_scale), o->y);
    }
    for (int h = 0; h < (form & SV_FORM_HALF ? 2 : 1) && form & SV_FORM_MIN; h++) {
        vf sum = _mm512_set1_ps(x->sum[form & SV_FORM_HALF ? h : 2]);
        o->y = _mm512_fmadd_ps(o->min[h], sum, o->y);
    }
    o->dot[0] = o->dot[1] = _mm512_setzero_si512();
}

#include "simd/expand_body.h"

/* Prefetched slab by slab: far enough ahead for memory, near enough to stay in the first-level
 * cache. */
#define AHEAD 4096

#define GEMV(name, type, bytes, slabs)                                                          \
    static void gemv_##name(float *y, const uint8_t *packed, const sv_qtoken *x, int n_rows,    \
                            int n_blocks, int add)                                              \
    {                                                                                           \
        __mmask16 rows = (__mmask16)((1u << n_rows) - 1);                                       \
        product o = { .x = x, .share = bytes * SV_PANEL_ROWS / slabs };                         \
        o.dot[0] = o.dot[1] = _mm512_setzero_si512();                                           \
        o.y = add ? _mm512_maskz_loadu_ps(rows, y) : _mm512_setzero_ps();                       \
        for (; n_blocks--; o.x += slabs, packed += bytes * SV_PANEL_ROWS) {                     \
            o.ahead = (const char *)packed + AHEAD;                                             \
            read_##name(&o, packed, 0);                                                         \
        }                                                                                       \
        _mm512_mask_storeu_ps(y, rows, o.y);                                                    \
    }
READERS(GEMV)

void sv_gemv_quant_fill_avx512(sv_kernels *k)
{
#define FILL(name, type, bytes, slabs) k->gemv_quant[type] = gemv_##name;
    READERS(FILL)
}
