/* SPDX-License-Identifier: MIT */
/* One token times a packed panel. */
#include "simd/avx512/vec.h"

/* Unsigned numbers stay as they are, signed ones become unsigned. */
#define STORED(zero) 0
#define STORED_SIGNED 128

#define vi_dot(p, w, four, is_signed) dot_four(p, w, four)

/* off is -128 * sum of the activations; zero divides 128. */
static inline vi exact(vi dot, const sv_qtoken *x, int part, int form, int zero)
{
    if (form & SV_FORM_MIN)
        return dot;
    int32_t off = x->off[part];
    return _mm512_add_epi32(dot, _mm512_set1_epi32(form & SV_FORM_SIGNED ? off : off / 128 * zero));
}

#include "simd/product_body.h"

#include "simd/gemv_body.h"

void sv_gemv_quant_fill_avx512(sv_kernels *k)
{
    fill_gemv(k);
}
