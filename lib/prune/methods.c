/* SPDX-License-Identifier: MIT */
/* What each method is made of. */
#include "prune/pruner.h"

#include <math.h>
#include <string.h>

void sv_before_counts(sv_schedule *s, const sv_budget *b, double t)
{
    s->keep[0] = (int)lround(t * b->n_visual);
    if (s->keep[0] < 1)
        s->keep[0] = 1;
}

static const sv_method methods[SVLM_PRUNE_METHODS] = {
    [SVLM_PRUNE_SPARSEVLM] = {
        .name = "sparsevlm", .judge = SV_JUDGE_RATERS, .recycles = 1,
        .depths = sv_sparsevlm_depths, .counts = sv_sparsevlm_counts },
    [SVLM_PRUNE_SPARSEVLM_PLUS] = {
        .name = "sparsevlm+", .judge = SV_JUDGE_RATERS, .keeps_positions = 1,
        .depths = sv_sparsevlm_depths, .counts = sv_sparsevlm_counts },
    [SVLM_PRUNE_RANK] = {
        .name = "rank", .judge = SV_JUDGE_RATERS, .recycles = 1, .by_content = 1,
        .depths = sv_rank_depths, .counts = sv_rank_counts },
    [SVLM_PRUNE_PAPER] = {
        .name = "paper", .judge = SV_JUDGE_RATERS, .recycles = 1, .by_content = 1,
        .depths = sv_sparsevlm_depths, .counts = sv_paper_counts },
    [SVLM_PRUNE_ENERGY] = {
        .name = "energy", .judge = SV_JUDGE_RATERS, .recycles = 1, .by_content = 1,
        .depths = sv_sparsevlm_depths, .counts = sv_energy_counts },
    [SVLM_PRUNE_RANDOM] = {
        .name = "random", .keeps_positions = 1,
        .counts = sv_before_counts, .reduce = sv_random_reduce },
    [SVLM_PRUNE_UNIFORM] = {
        .name = "uniform", .keeps_positions = 1,
        .counts = sv_before_counts, .reduce = sv_uniform_reduce },
    [SVLM_PRUNE_FASTV] = {
        .name = "fastv", .judge = SV_JUDGE_LAST_ROW, .keeps_positions = 1,
        .depths = sv_fastv_depths, .counts = sv_fastv_counts },
    [SVLM_PRUNE_PDROP] = {
        .name = "pdrop", .judge = SV_JUDGE_LAST_ROW,
        .depths = sv_pdrop_depths, .counts = sv_pdrop_counts },
    [SVLM_PRUNE_DIVPRUNE] = {
        .name = "divprune",
        .counts = sv_before_counts, .reduce = sv_divprune_reduce },
    [SVLM_PRUNE_VISIONZIP] = {
        .name = "visionzip", .needs_class_attention = 1,
        .counts = sv_before_counts, .reduce = sv_visionzip_reduce },
};

const sv_method *sv_method_get(svlm_prune_method method)
{
    return &methods[method];
}

const char *svlm_prune_name(svlm_prune_method method)
{
    return (unsigned)method < SVLM_PRUNE_METHODS ? methods[method].name : NULL;
}

int svlm_prune_method_by_name(const char *name)
{
    for (int i = 0; name && i < SVLM_PRUNE_METHODS; i++)
        if (!strcmp(name, methods[i].name))
            return i;
    return -1;
}
