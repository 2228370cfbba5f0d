/* SPDX-License-Identifier: MIT */
/* Panel times token group with vpdpbusd: the eight weight vectors of a slab stay
 * in registers while the tokens pass; each product broadcasts four activation
 * bytes from memory. Sixteen tokens, eight weights, scales and the products in
 * flight fill the 32 registers. */
#include "simd/avx512/vec.h"

#define INLINE static inline __attribute__((always_inline))

enum { ABREAST = 4 };             /* chains in flight: vpdpbusd takes 4 cycles */

/* Dot products of m <= ABREAST tokens over four or all eight weight vectors, as floats. */
INLINE void dots(__m512 *p, const __m512i *w, int n_w, const sv_qtoken *x, int m, int part,
                 int form)
{
    __m512i sum[ABREAST];
#pragma GCC unroll 4
    for (int a = 0; a < m; a++)
        sum[a] = form & SV_FORM_MIN ? _mm512_setzero_si512() : _mm512_set1_epi32(x[a].off[part]);
#pragma GCC unroll 8
    for (int i = 0; i < n_w; i++)
#pragma GCC unroll 4
        for (int a = 0; a < m; a++)
            sum[a] = dot_four(sum[a], w[i], &x[a].q[4 * i + (part == 1 ? 16 : 0)]);
#pragma GCC unroll 4
    for (int a = 0; a < m; a++)
        p[a] = _mm512_cvtepi32_ps(sum[a]);
}

INLINE void add_minima(__m512 *y, const sv_slab *s, const sv_qtoken *x, int m, int form)
{
    int halves = form & SV_FORM_HALF ? 2 : 1;
#pragma GCC unroll 2
    for (int h = 0; h < halves; h++) {
        __m512 min = _mm512_loadu_ps(s->min[h]);
#pragma GCC unroll 4
        for (int a = 0; a < m; a++)
            y[a] = _mm512_fmadd_ps(min, _mm512_set1_ps(x[a].sum[halves == 1 ? 2 : h]), y[a]);
    }
}

/* A scale for all 32 of depth: the slab's eight weight vectors serve all tokens. */
INLINE void slab_whole(__m512 *y, const sv_slab *s, const sv_qtoken *x, int n, int form)
{
    __m512i w[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        w[i] = _mm512_loadu_si512(s->q[i]);
    __m512 scale = _mm512_loadu_ps(s->scale[0]);
#pragma GCC unroll 4
    for (int t = 0; t < n; t += ABREAST) {
        int m = n - t < ABREAST ? n - t : ABREAST;
        __m512 p[ABREAST];
        dots(p, w, 8, x + t, m, 2, form);
#pragma GCC unroll 4
        for (int a = 0; a < m; a++) {
            __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(x[t + a].scale));
            y[t + a] = _mm512_fmadd_ps(p[a], both, y[t + a]);
        }
        if (form & SV_FORM_MIN)
            add_minima(y + t, s, x + t, m, form);
    }
}

/* A scale for each 16: four weights at a time leave room for the first half's products. */
INLINE void slab_halves(__m512 *y, const sv_slab *s, const sv_qtoken *x, int n, int form)
{
#pragma GCC unroll 4
    for (int t = 0; t < n; t += ABREAST) {
        int m = n - t < ABREAST ? n - t : ABREAST;
        __m512 p[2][ABREAST];
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            __m512i w[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                w[i] = _mm512_loadu_si512(s->q[4 * h + i]);
            dots(p[h], w, 4, x + t, m, h, form);
        }
        __m512 scale0 = _mm512_loadu_ps(s->scale[0]), scale1 = _mm512_loadu_ps(s->scale[1]);
#pragma GCC unroll 4
        for (int a = 0; a < m; a++) {
            p[0][a] = _mm512_fmadd_ps(p[1][a], scale1, _mm512_mul_ps(p[0][a], scale0));
            y[t + a] = _mm512_fmadd_ps(p[0][a], _mm512_set1_ps(x[t + a].scale), y[t + a]);
        }
        if (form & SV_FORM_MIN)
            add_minima(y + t, s, x + t, m, form);
    }
}

typedef struct job {
    float *y;
    size_t ldy;
    const sv_slab *w;
    const sv_qtoken *x;
    int n, n_rows, n_slabs, add;
} job;

/* n tokens from first on; n and form are constants wherever this is inlined. */
INLINE void tile(const job *j, int first, int n, int form)
{
    __mmask16 rows = (__mmask16)((1u << j->n_rows) - 1);
    float *y = j->y + (size_t)first * j->ldy;
    __m512 sum[SV_GROUP];
#pragma GCC unroll 16
    for (int t = 0; t < n; t++)
        sum[t] = j->add ? _mm512_maskz_loadu_ps(rows, y + (size_t)t * j->ldy) : _mm512_setzero_ps();
    for (int i = 0; i < j->n_slabs; i++)
        if (form & SV_FORM_HALF)
            slab_halves(sum, &j->w[i], j->x + i * j->n + first, n, form);
        else
            slab_whole(sum, &j->w[i], j->x + i * j->n + first, n, form);
#pragma GCC unroll 16
    for (int t = 0; t < n; t++)
        _mm512_mask_storeu_ps(y + (size_t)t * j->ldy, rows, sum[t]);
}

INLINE void group(const job *j, int form)
{
    int n = j->n, t = 0;
    if (n == SV_GROUP) {
        tile(j, 0, 16, form);
        return;
    }
    if (n >= 12) {
        tile(j, 0, 12, form);
        t = 12;
    } else if (n >= 8) {
        tile(j, 0, 8, form);
        t = 8;
    } else if (n >= 4) {
        tile(j, 0, 4, form);
        t = 4;
    }
    if (n - t == 3)
        tile(j, t, 3, form);
    else if (n - t == 2)
        tile(j, t, 2, form);
    else if (n - t == 1)
        tile(j, t, 1, form);
}

#define GEMM(form)                                                                             \
    static void gemm_##form(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x, int n, \
                            int n_rows, int n_slabs, int zero, int add)                        \
    {                                                                                          \
        job j = { y, ldy, w, x, n, n_rows, n_slabs, add };                                        \
        (void)zero;                                                                            \
        group(&j, form);                                                                    \
    }
GEMM(0)
GEMM(1)
GEMM(2)
GEMM(3)

void sv_gemm_quant_fill_avx512(sv_kernels *k)
{
    k->gemm_quant[0] = gemm_0;
    k->gemm_quant[SV_FORM_HALF] = gemm_1;
    k->gemm_quant[SV_FORM_MIN] = gemm_2;
    k->gemm_quant[SV_FORM_HALF | SV_FORM_MIN] = gemm_3;
    k->gemm_quant[SV_FORM_SIGNED] = gemm_0;
}
