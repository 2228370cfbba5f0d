/* SPDX-License-Identifier: MIT */
/* Panel times token group. Bytes of a slab are signed here: zero was taken off. */
#include <math.h>

#include "simd/ref/ref.h"

/* Exact dot product of depth [16 half, 16 half + n) of one row and one token. */
static int dot(const sv_slab *w, int r, const int8_t *q, int from, int n)
{
    int sum = 0;
    for (int j = from; j < from + n; j++)
        sum += (int8_t)w->q[j / 4][r][j % 4] * q[j];
    return sum;
}

/* As panel.h defines it. */
static float step(float y, const sv_slab *w, int r, const sv_qtoken *x, int form)
{
    if (form & SV_FORM_HALF) {
        float p0 = (float)dot(w, r, x->q, 0, 16), p1 = (float)dot(w, r, x->q, 16, 16);
        y = fmaf(fmaf(p1, w->scale[1][r], p0 * w->scale[0][r]), x->scale, y);
        if (form & SV_FORM_MIN)
            y = fmaf(w->min[1][r], x->sum[1], fmaf(w->min[0][r], x->sum[0], y));
        return y;
    }
    y = fmaf((float)dot(w, r, x->q, 0, SV_DEPTH), w->scale[0][r] * x->scale, y);
    return form & SV_FORM_MIN ? fmaf(w->min[0][r], x->sum[2], y) : y;
}

static void gemm(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x, int n, int n_rows,
                 int n_slabs, int add, int form)
{
    for (int t = 0; t < n; t++)
        for (int r = 0; r < n_rows; r++) {
            float sum = add ? y[(size_t)t * ldy + r] : 0.0f;
            for (int i = 0; i < n_slabs; i++)
                sum = step(sum, &w[i], r, &x[i * n + t], form);
            y[(size_t)t * ldy + r] = sum;
        }
}

#define GEMM(form)                                                                            \
    static void gemm_##form(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x, int n, \
                            int n_rows, int n_slabs, int zero, int add)                       \
    {                                                                                         \
        (void)zero;                                                                           \
        gemm(y, ldy, w, x, n, n_rows, n_slabs, add, form);                                    \
    }
GEMM(0)
GEMM(1)
GEMM(2)
GEMM(3)

void sv_gemm_quant_fill_ref(sv_kernels *k)
{
    k->gemm_quant[0] = gemm_0;
    k->gemm_quant[SV_FORM_HALF] = gemm_1;
    k->gemm_quant[SV_FORM_MIN] = gemm_2;
    k->gemm_quant[SV_FORM_HALF | SV_FORM_MIN] = gemm_3;
    k->gemm_quant[SV_FORM_SIGNED] = gemm_0;
}
