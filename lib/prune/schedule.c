/* SPDX-License-Identifier: MIT */
/* After which layers a method prunes and how many rows it keeps, such that a budget
 * is met. The budget is the number of visual rows entering a layer, averaged over
 * the layers, out of the 576 of one picture; other counts in proportion. */
#include "prune/pruner.h"

#include <math.h>

#include "base/options.h"

/* From here on recycling pays: fewer pruned rows would buy a merged row with less
 * than ten. The published code merges even one. */
enum { MIN_RECYCLED = 10 };

int sv_list_keep(const svlm_prune_options *o, int k, int v)
{
    int force = o->compat && sv_method_get(o->method)->judge == SV_JUDGE_RATERS;
    return k < v ? k : force ? v - 1 : v;
}

int sv_recycles(const svlm_prune_options *o, int n_pruned)
{
    return sv_method_get(o->method)->recycles && !o->no_recycle &&
           n_pruned >= (o->compat ? 1 : MIN_RECYCLED);
}

int sv_rows_after(const svlm_prune_options *o, int v, int k)
{
    if (!sv_method_get(o->method)->by_content)
        k = sv_list_keep(o, k, v);
    if (k >= v || v < 2)
        return v;
    return k + (sv_recycles(o, v - k) ? sv_cluster_count(sv_pool_size(v - k)) : 0);
}

static void set_average(sv_schedule *s, const sv_budget *b)
{
    double sum = 0;
    int v = b->n_visual, from = 0;
    for (int i = 0; i < s->n; i++) {
        sum += (double)v * (s->layer[i] + 1 - from);
        from = s->layer[i] + 1;
        v = sv_rows_after(b->opt, v, s->keep[i]);
    }
    s->average = (sum + (double)v * (b->n_layers - from)) / b->n_layers;
}

/* Tries the t whose counts come closest to the budget. */
static void meet_budget(sv_schedule *s, const sv_budget *b, const sv_method *m)
{
    double want = b->retain * b->n_visual / SV_FULL_PICTURE;
    double lo = 0, hi = 1, best = 0, gap = INFINITY;
    for (int i = 0; i < 40; i++) {
        double t = (lo + hi) / 2;
        m->counts(s, b, t);
        set_average(s, b);
        if (fabs(s->average - want) < gap) {
            gap = fabs(s->average - want);
            best = t;
        }
        *(s->average > want ? &hi : &lo) = t;
    }
    m->counts(s, b, best);
    set_average(s, b);
}

/* Methods whose rule has its own numbers have no use for a budget. */
static int has_budget(const svlm_prune_options *o)
{
    return !sv_method_get(o->method)->by_content ||
           (o->method == SVLM_PRUNE_PAPER && !(o->lambda > 0));
}

static svlm_status given_layers(sv_schedule *s, const sv_budget *b, svlm_error *err)
{
    const svlm_prune_options *o = b->opt;
    s->n = o->n_layers_list;
    for (int i = 0; i < s->n; i++) {
        s->layer[i] = o->layers[i];
        if (s->layer[i] >= b->n_layers)
            return sv_fail(err, SVLM_ERR_ARG, "prune after layer %d: the model has layers 0 to %d",
                           s->layer[i], b->n_layers - 1);
    }
    return SVLM_OK;
}

svlm_status sv_schedule_make(sv_schedule *s, const svlm_prune_options *o, int n_layers,
                             int n_visual, int n_raters, svlm_error *err)
{
    const sv_method *m = sv_method_get(o->method);
    sv_budget b = { o, n_layers, n_visual, n_raters, o->retain > 0 ? o->retain : 192 };
    *s = (sv_schedule){ .average = n_visual, .lambda = o->lambda };
    if (n_visual < 1)
        return SVLM_OK;
    if (o->n_layers_list) {
        svlm_status st = given_layers(s, &b, err);
        if (st)
            return st;
    } else if (m->reduce) {
        s->n = 1;
        s->layer[0] = -1;
    } else {
        m->depths(s, &b);
    }
    if (o->n_layers_list && o->keep && !m->by_content)
        for (int i = 0; i < s->n; i++)
            s->keep[i] = o->keep[i];
    else if (!m->reduce && has_budget(o) && b.retain >= SV_FULL_PICTURE)
        s->n = 0;
    else if (!sv_published_lists(s, &b))
        meet_budget(s, &b, m);
    set_average(s, &b);
    return SVLM_OK;
}

svlm_status svlm_prune_plan(const svlm_prune_options *opt, int n_layers, int n_visual,
                            int *layers, int *keep, int cap, int *n, double *average,
                            svlm_error *err)
{
    svlm_prune_options o;
    sv_schedule s;
    svlm_status st = sv_options_read(&o, sizeof o, opt, "svlm_prune_options", err);
    if (st || (st = sv_prune_check(&o, err)))
        return st;
    if (n_layers < 1 || n_visual < 0 || cap < 0)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_prune_plan: %d layers, %d visual rows, cap %d",
                       n_layers, n_visual, cap);
    if ((st = sv_schedule_make(&s, &o, n_layers, n_visual, SV_TYPICAL_RATERS, err)))
        return st;
    for (int i = 0; i < s.n && i < cap; i++) {
        if (layers)
            layers[i] = s.layer[i];
        if (keep)
            keep[i] = s.keep[i];
    }
    if (n)
        *n = s.n;
    if (average)
        *average = s.average;
    return SVLM_OK;
}
