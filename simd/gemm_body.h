/* SPDX-License-Identifier: MIT */
/* Panel times token group for sets whose vectors are shorter than a panel: part by part the
 * slab's eight weight vectors stay in registers while the tokens pass, TOKENS at a time; their
 * sums wait in the first-level cache. The file that includes this defines, beside what
 * product_body.h asks for,
 *
 *     TOKENS              1 or 2
 *     prepare(w)          reorders eight weight vectors for dots, once for all tokens
 *     dots(d, w, q, form) d[token][half]: dot products of w and activations q[token] */

typedef struct job {
    const sv_slab *w;
    const sv_qtoken *x;
    int n, n_slabs, zero;
    float (*sum)[SV_PANEL_ROWS];  /* [n] */
} job;

INLINE void part(const job *j, int i, int p, int form)
{
    const sv_slab *s = &j->w[i];
    int halves = form & SV_FORM_HALF ? 2 : 1;
    vi w[8];
    vf scale[2], min[2];
    UNROLL(8) for (int at = 0; at < 8; at++)
        w[at] = vi_load(s->q[at][p * LANES]);
    prepare(w);
    UNROLL(2) for (int h = 0; h < halves; h++) {
        scale[h] = vf_load(&s->scale[h][p * LANES]);
        if (form & SV_FORM_MIN)
            min[h] = vf_load(&s->min[h][p * LANES]);
    }
    const sv_qtoken *x = j->x + (size_t)i * (size_t)j->n;
    for (int t = 0; t < j->n; t += TOKENS) {
        const int8_t *q[2] = { x[t].q, x[t + 1 < j->n ? t + 1 : t].q };
        vi d[TOKENS][2];
        dots(d, w, q, form);
        UNROLL(2) for (int a = 0; a < TOKENS; a++)
            if (t + a < j->n) {
                float *y = &j->sum[t + a][p * LANES];
                vf_store(y, finish(vf_load(y), d[a], scale, min, &x[t + a], form, j->zero));
            }
    }
}

INLINE void gemm(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x, int n, int n_rows,
                 int n_slabs, int zero, int add, int form)
{
    float sum[SV_GROUP][SV_PANEL_ROWS] = { 0 };
    job j = { w, x, n, n_slabs, zero, sum };
    for (int t = 0; add && t < n; t++)
        memcpy(sum[t], y + (size_t)t * ldy, (size_t)n_rows * sizeof *y);
    for (int i = 0; i < n_slabs; i++)
        for (int p = 0; p < SV_PANEL_ROWS / LANES; p++)
            part(&j, i, p, form);
    for (int t = 0; t < n; t++)
        memcpy(y + (size_t)t * ldy, sum[t], (size_t)n_rows * sizeof *y);
}

#define GEMM(form)                                                                             \
    static void gemm_##form(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x, int n, \
                            int n_rows, int n_slabs, int zero, int add)                        \
    {                                                                                          \
        gemm(y, ldy, w, x, n, n_rows, n_slabs, zero, add, form);                    \
    }
GEMM(0)
GEMM(1)
GEMM(2)
GEMM(3)
GEMM(4)

static void fill_gemm(sv_kernels *k)
{
    k->gemm_quant[0] = gemm_0;
    k->gemm_quant[SV_FORM_HALF] = gemm_1;
    k->gemm_quant[SV_FORM_MIN] = gemm_2;
    k->gemm_quant[SV_FORM_HALF | SV_FORM_MIN] = gemm_3;
    k->gemm_quant[SV_FORM_SIGNED] = gemm_4;
}
