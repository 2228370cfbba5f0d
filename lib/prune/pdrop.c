/* SPDX-License-Identifier: MIT */
/* PyramidDrop (arXiv 2410.17247): four stages of equal depth; after each of the
 * first three a share lambda of the rows goes on, ranked by the attention of the
 * last row of the prompt. Published: stages of 8 layers in 32, lambda 0.5, so 270 of
 * 576 rows on average; rows are renumbered. */
#include "prune/pruner.h"

#include <math.h>

/* For smaller budgets the stages get shorter, as far as halving needs: with s layers
 * a stage, s (1 + 1/2 + 1/4) + (L - 3 s) / 8 = L * share. What that cannot reach is
 * left to lambda. */
void sv_pdrop_depths(sv_schedule *s, const sv_budget *b)
{
    double length = (b->retain / SV_FULL_PICTURE - 0.125) * b->n_layers / 1.375;
    length = fmax(1, fmin(length, b->n_layers / 4.0));
    for (int i = 0; i < 3; i++) {
        int layer = (int)lround(length * (i + 1)) - 1;
        if (layer > b->n_layers - 2)
            return;
        s->layer[s->n++] = layer;
    }
}

/* Lambda is t, but the last stage is left a quarter of what was asked for. */
void sv_pdrop_counts(sv_schedule *s, const sv_budget *b, double t)
{
    double least = b->retain / SV_FULL_PICTURE / 4;
    for (int i = 0; i < s->n; i++) {
        s->keep[i] = (int)lround(fmax(least, pow(t, i + 1)) * b->n_visual);
        if (s->keep[i] < 1)
            s->keep[i] = 1;
    }
}
