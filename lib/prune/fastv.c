/* SPDX-License-Identifier: MIT */
/* FastV (arXiv 2403.06764): one cut after the second of 32 layers, by the attention that
 * the last row of the prompt pays, averaged over heads. Kept rows keep their positions. */
#include "prune/pruner.h"

#include <math.h>

void sv_fastv_depths(sv_schedule *s, const sv_budget *b)
{
    if (b->n_layers > 1)
        s->layer[s->n++] = (int)lround(b->n_layers / 32.0);
}

/* Not below a quarter of what was asked for, see sparsevlm.c. */
void sv_fastv_counts(sv_schedule *s, const sv_budget *b, double t)
{
    double least = b->retain / SV_FULL_PICTURE / 4;
    for (int i = 0; i < s->n; i++) {
        s->keep[i] = (int)lround((least + t * (1 - least)) * b->n_visual);
        if (s->keep[i] < 1)
            s->keep[i] = 1;
    }
}
