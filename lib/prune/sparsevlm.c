/* SPDX-License-Identifier: MIT */
/* SparseVLM's schedules (arXiv 2410.04417 and its published code, which differ):
 * fixed lists in v1.5 and v2.0, scale * rank + bias in v1.0, and the rule the
 * paper states but no code follows. */
#include "prune/pruner.h"

#include <math.h>

enum { PUBLISHED_LAYERS = 32, PUBLISHED_ROWS = SV_FULL_PICTURE };

/* Published depths in 32 layers, scaled. Pruning after the last layer would be in vain. */
static void scale_depths(sv_schedule *s, int n_layers, const int *depth, int n)
{
    int least = 0;
    for (int i = 0; i < n; i++) {
        int layer = (int)((int64_t)n_layers * depth[i] / PUBLISHED_LAYERS);
        layer = layer > least ? layer : least;
        if (layer > n_layers - 2)
            return;
        s->layer[s->n++] = layer;
        least = layer + 1;
    }
}

void sv_sparsevlm_depths(sv_schedule *s, const sv_budget *b)
{
    static const int depth[] = { 2, 6, 15 };
    scale_depths(s, b->n_layers, depth, 3);
}

void sv_rank_depths(sv_schedule *s, const sv_budget *b)
{
    static const int depth[] = { 2, 6, 15, 19 };
    scale_depths(s, b->n_layers, depth, 4);
}

/* Kept after each stage, by what the published code calls the retained number. The
 * first and last are what none and all would be. */
typedef struct knot { double retain, keep[3]; } knot;

enum { N_KNOTS = 6 };

static const knot *published(svlm_prune_method method)
{
    static const knot v15[N_KNOTS] = {
        { 0, { 0, 0, 0 } },          { 64, { 66, 30, 17 } },      { 96, { 238, 48, 26 } },
        { 128, { 303, 110, 36 } },   { 192, { 300, 200, 110 } },  { 576, { 576, 576, 576 } },
    };
    static const knot v20[N_KNOTS] = {
        { 0, { 0, 0, 0 } },          { 64, { 66, 34, 20 } },      { 96, { 246, 54, 28 } },
        { 128, { 238, 108, 60 } },   { 192, { 300, 200, 118 } },  { 576, { 576, 576, 576 } },
    };
    return method == SVLM_PRUNE_SPARSEVLM ? v15 : method == SVLM_PRUNE_SPARSEVLM_PLUS ? v20 : NULL;
}

int sv_published_lists(sv_schedule *s, const sv_budget *b)
{
    const knot *k = published(b->opt->method);
    if (!k || b->n_layers != PUBLISHED_LAYERS || b->n_visual != PUBLISHED_ROWS ||
        b->opt->n_layers_list)
        return 0;
    for (int i = 1; i < N_KNOTS - 1; i++)
        if (k[i].retain == b->retain) {
            for (int j = 0; j < 3; j++)
                s->keep[j] = (int)k[i].keep[j];
            return 1;
        }
    return 0;
}

/* Anywhere else the lists are interpolated between the published ones, at a number
 * that meets the budget. It is not taken below 3/4 of what was asked for: where the
 * full first layers use up most of a small budget, squeezing the others saves
 * little and costs the answer, so the average stays a bit above the budget. */
void sv_sparsevlm_counts(sv_schedule *s, const sv_budget *b, double t)
{
    const knot *k = published(b->opt->method);
    double least = 0.75 * b->retain, at = least + t * (PUBLISHED_ROWS - least);
    while (k[1].retain < at)
        k++;
    double f = (at - k[0].retain) / (k[1].retain - k[0].retain);
    for (int i = 0; i < s->n; i++) {
        int j = i < 3 ? i : 2;
        double keep = k[0].keep[j] + f * (k[1].keep[j] - k[0].keep[j]);
        s->keep[i] = (int)lround(keep * b->n_visual / PUBLISHED_ROWS);
        if (s->keep[i] < 1)
            s->keep[i] = 1;
    }
}

/* What a rule makes of a number of rows, were each stage to find rank n_raters: in
 * practice rows of attention are never dependent. */
typedef int (*keep_fn)(const sv_budget *b, int v, double t);

static void follow(sv_schedule *s, const sv_budget *b, keep_fn keep, double t)
{
    int v = b->n_visual;
    for (int i = 0; i < s->n; i++) {
        s->keep[i] = keep(b, v, t);
        v = sv_rows_after(b->opt, v, s->keep[i]);
    }
}

int sv_rank_keep(const svlm_prune_options *o, int rank, int v)
{
    double scale = o->scale == 0 && o->bias == 0 ? 13.5 : o->scale;
    double k = floor(rank * scale + o->bias);
    if (rank == v)
        return v;
    return sv_list_keep(o, k < 0 ? 0 : k < v ? (int)k : v, v);
}

static int rank_keep(const sv_budget *b, int v, double t)
{
    (void)t;
    return sv_rank_keep(b->opt, b->n_raters < v ? b->n_raters : v, v);
}

void sv_rank_counts(sv_schedule *s, const sv_budget *b, double t)
{
    follow(s, b, rank_keep, t);
}

int sv_paper_keep(double lambda, int rank, int v)
{
    return v - (int)floor(lambda * (v - rank));
}

static double paper_lambda(const sv_budget *b, double t)
{
    return b->opt->lambda > 0 ? b->opt->lambda : 1 - t;
}

static int paper_keep(const sv_budget *b, int v, double t)
{
    return sv_paper_keep(paper_lambda(b, t), b->n_raters < v ? b->n_raters : v, v);
}

void sv_paper_counts(sv_schedule *s, const sv_budget *b, double t)
{
    s->lambda = paper_lambda(b, t);
    follow(s, b, paper_keep, t);
}

static int bounded(const svlm_prune_options *o, int k, int v)
{
    if (o->max_keep && k > o->max_keep)
        k = o->max_keep;
    if (k < o->min_keep)
        k = o->min_keep;
    return k < v ? k : v;
}

static double energy_share(const svlm_prune_options *o)
{
    return o->energy > 0 ? o->energy : 0.9;
}

int sv_energy_keep(const svlm_prune_options *o, const int32_t *order, const float *score, int v)
{
    return bounded(o, sv_energy_count(order, score, v, energy_share(o)), v);
}

/* The most it can come to: with attention spread evenly a share takes as many rows. */
static int energy_most(const sv_budget *b, int v, double t)
{
    (void)t;
    return bounded(b->opt, (int)ceil(energy_share(b->opt) * v), v);
}

void sv_energy_counts(sv_schedule *s, const sv_budget *b, double t)
{
    follow(s, b, energy_most, t);
}
