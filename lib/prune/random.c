/* SPDX-License-Identifier: MIT */
/* Random rows: what any method has to beat. The same seed gives the same rows. */
#include "base/rng.h"
#include "prune/pruner.h"

svlm_status sv_random_reduce(sv_pruner *p, const svlm_reduce_view *v, int k, sv_stage *s)
{
    sv_rng mix = { p->opt.seed + (uint64_t)v->image }, rng = { sv_rng_next(&mix) };
    int32_t *free_row = s->keep;                /* listed only afterwards */
    int n = 0;
    for (int i = 0; i < v->n_rows; i++) {
        if (!s->kept[i])
            free_row[n++] = i;
        else
            k--;
    }
    for (; k > 0 && n > 0; k--) {
        uint32_t at = sv_rng_below(&rng, (uint32_t)n);
        s->kept[free_row[at]] = 1;
        free_row[at] = free_row[--n];
    }
    return SVLM_OK;
}
