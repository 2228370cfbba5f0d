/* SPDX-License-Identifier: MIT */
/* DivPrune (arXiv 2503.02175): the rows that are least alike. Starting with the row
 * whose nearest neighbour is farthest, always the row farthest from those chosen,
 * by cosine distance of the projected rows. Neither text nor attention is used. */
#include <math.h>

#include "prune/pruner.h"

typedef struct spread {
    const svlm_reduce_view *v;
    const sv_kernels *k;
    float *inverse_norm;          /* [n_rows], 0 for a row of zeros        */
    float *nearest;               /* [n_rows] distance to the chosen rows  */
} spread;

static float distance(const spread *d, int i, int j)
{
    size_t width = (size_t)d->v->n_embd;
    float dot = d->k->dot_f32(d->v->rows + (size_t)i * width, d->v->rows + (size_t)j * width,
                              d->v->n_embd);
    float x = 1 - dot * d->inverse_norm[i] * d->inverse_norm[j];
    return isnan(x) ? 0 : x;                    /* never preferred */
}

static void come_near(const spread *d, int i, float x)
{
    d->nearest[i] = x < d->nearest[i] ? x : d->nearest[i];
}

static void choose(const spread *d, sv_stage *s, int row)
{
    s->kept[row] = 1;
    for (int i = 0; i < d->v->n_rows; i++)
        if (!s->kept[i])
            come_near(d, i, distance(d, i, row));
}

/* The farthest row that is not chosen yet; the first on a tie. */
static int farthest(const spread *d, const sv_stage *s)
{
    int best = -1;
    for (int i = 0; i < d->v->n_rows; i++)
        if (!s->kept[i] && (best < 0 || d->nearest[i] > d->nearest[best]))
            best = i;
    return best;
}

static void prepare(const spread *d)
{
    for (int i = 0; i < d->v->n_rows; i++) {
        const float *row = d->v->rows + (size_t)i * (size_t)d->v->n_embd;
        float norm = sqrtf(d->k->dot_f32(row, row, d->v->n_embd));
        d->inverse_norm[i] = norm > 0 ? 1 / norm : 0;
        d->nearest[i] = INFINITY;
    }
}

static int first_row(const spread *d, const sv_stage *s)
{
    for (int i = 0; i < d->v->n_rows; i++)
        for (int j = i + 1; j < d->v->n_rows; j++) {
            float x = distance(d, i, j);
            come_near(d, i, x);
            come_near(d, j, x);
        }
    int first = farthest(d, s);
    for (int i = 0; i < d->v->n_rows; i++)
        d->nearest[i] = INFINITY;
    return first;
}

svlm_status sv_divprune_reduce(sv_pruner *p, const svlm_reduce_view *v, int k, sv_stage *s)
{
    sv_arena a = { 0 };
    spread d = { .v = v, .k = p->k };
    for (int pass = 0; pass < 2; pass++) {
        d.inverse_norm = sv_take(&a, (size_t)v->n_rows, sizeof *d.inverse_norm);
        d.nearest = sv_take(&a, (size_t)v->n_rows, sizeof *d.nearest);
        svlm_status st = pass ? SVLM_OK : sv_block_fit(&p->work, &a);
        if (st)
            return st;
    }
    prepare(&d);
    int n = 0;
    for (int i = 0; i < v->n_rows; i++)         /* separators that must stay are given */
        if (s->kept[i]) {
            choose(&d, s, i);
            n++;
        }
    if (n == 0)
        choose(&d, s, first_row(&d, s));
    for (n = n ? n : 1; n < k; n++)
        choose(&d, s, farthest(&d, s));
    return SVLM_OK;
}
