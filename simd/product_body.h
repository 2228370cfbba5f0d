/* SPDX-License-Identifier: MIT */
/* The floating-point half of a product, as panel.h defines it, and products of one token;
 * for every set. Beside what expand_body.h asks for, the file that includes this defines
 *
 *     vi_zero() vi_add(a, b)
 *     vf_set(x) vf_load(p) vf_store(p, v) vf_fma(a, b, c)
 *     vi_dot(p, w, four, is_signed)    p + dot products of w's bytes and four activations
 *     exact(dot, x, part, form, zero)  the dot product without what the numbers exceed the
 *                                      values by (part: first 16 of depth, second, all)
 *     prefetch(p) */

#include "simd/inline.h"

/* y after 32 of depth; dot: of each 16. */
INLINE vf finish(vf y, const vi *dot, const vf *scale, const vf *min, const sv_qtoken *x, int form,
                 int zero)
{
    int halves = form & SV_FORM_HALF;
    vf x_scale = vf_set(x->scale);
    if (halves) {
        vf p0 = vi_float(exact(dot[0], x, 0, form, zero));
        vf p1 = vi_float(exact(dot[1], x, 1, form, zero));
        y = vf_fma(vf_fma(p1, scale[1], vf_mul(p0, scale[0])), x_scale, y);
    } else {
        vf p = vi_float(exact(vi_add(dot[0], dot[1]), x, 2, form, zero));
        y = vf_fma(p, vf_mul(scale[0], x_scale), y);
    }
    if (form & SV_FORM_MIN)
        y = vf_fma(min[0], vf_set(x->sum[halves ? 0 : 2]), y);
    if (halves && form & SV_FORM_MIN)
        y = vf_fma(min[1], vf_set(x->sum[1]), y);
    return y;
}
