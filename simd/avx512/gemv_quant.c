/* SPDX-License-Identifier: MIT */
/* One token times a packed panel: decoding reads every weight once, so nothing is
 * stored between unpacking and the product. */
#include "simd/avx512/vec.h"

/* Unsigned numbers stay as they are; their zero comes off with the sum of the
 * activations: off is -128 * sum, off * zero / 128 an exact shift. */
#define STORED(zero) 0
#define STORED_SIGNED 128

typedef struct product {
    const sv_qtoken *x;           /* of the block's first slab */
    vi dot[2];                    /* of each half of the depth */
    vf scale[2], min[2], y;
} product;

#define OUT product
#define PUT(o, g, i, p, v) (o)->dot[(i) / 4] = dot_four((o)->dot[(i) / 4], v, &(o)->x[g].q[4 * (i)])
#define SCALE(o, g, h, p, v) (o)->scale[h] = (v)
#define MIN(o, g, h, p, v) (o)->min[h] = (v)
#define DONE(o, g, p, form, zero) finish(o, &(o)->x[g], form, zero)

static inline __attribute__((always_inline)) vi offset(const sv_qtoken *x, int part, int form, int zero)
{
    int32_t off = x->off[part];
    if (form & SV_FORM_MIN)
        return _mm512_setzero_si512();
    return _mm512_set1_epi32(form & SV_FORM_SIGNED ? off : off / 128 * zero);
}

static inline __attribute__((always_inline)) void part(product *o, const sv_qtoken *x, vi dot, int which,
                                                       int h, int form, int zero)
{
    vf both = _mm512_mul_ps(o->scale[h], _mm512_set1_ps(x->scale));
    vi exact = _mm512_add_epi32(dot, offset(x, which, form, zero));
    o->y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), both, o->y);
    if (form & SV_FORM_MIN)
        o->y = _mm512_fmadd_ps(o->min[h], _mm512_set1_ps(x->sum[which]), o->y);
}

static inline __attribute__((always_inline)) void finish(product *o, const sv_qtoken *x, int form, int zero)
{
    if (form & SV_FORM_HALF) {
        part(o, x, o->dot[0], 0, 0, form, zero);
        part(o, x, o->dot[1], 1, 1, form, zero);
    } else {
        part(o, x, _mm512_add_epi32(o->dot[0], o->dot[1]), 2, 0, form, zero);
    }
    o->dot[0] = o->dot[1] = _mm512_setzero_si512();
}

#include "simd/expand_body.h"

/* Far enough ahead for memory, near enough to stay in the first-level cache. */
#define AHEAD 2048

#define GEMV(name, type, bytes, slabs)                                                          \
    static void gemv_##name(float *y, const uint8_t *packed, const sv_qtoken *x, int n_rows,    \
                            int n_blocks, int add)                                              \
    {                                                                                           \
        __mmask16 rows = (__mmask16)((1u << n_rows) - 1);                                       \
        product o = { .x = x };                                                                 \
        o.dot[0] = o.dot[1] = _mm512_setzero_si512();                                           \
        o.y = add ? _mm512_maskz_loadu_ps(rows, y) : _mm512_setzero_ps();                       \
        for (; n_blocks--; o.x += slabs, packed += bytes * SV_PANEL_ROWS) {                     \
            for (int i = 0; i < bytes * SV_PANEL_ROWS; i += 64)                                 \
                _mm_prefetch((const char *)packed + AHEAD + i, _MM_HINT_T0);                    \
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
