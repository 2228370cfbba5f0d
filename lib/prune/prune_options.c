/* SPDX-License-Identifier: MIT */
/* Options that are wrong whatever the model is, each with its sentence. */
#include <math.h>

#include "prune/pruner.h"

static svlm_status check_numbers(const svlm_prune_options *o, svlm_error *err)
{
    const struct { const char *name; double value, least, most; } all[] = {
        { "retain", o->retain, 0, INFINITY }, { "scale", o->scale, -1e6, 1e6 },
        { "bias", o->bias, -1e6, 1e6 },       { "lambda", o->lambda, 0, 1 },
        { "energy", o->energy, 0, 1 },        { "n_heads", o->n_heads, 0, INFINITY },
        { "min_keep", o->min_keep, 0, INFINITY }, { "max_keep", o->max_keep, 0, INFINITY },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(all[i].value >= all[i].least && all[i].value <= all[i].most))
            return sv_fail(err, SVLM_ERR_ARG, "pruning: %s is %g, allowed are %g to %g",
                           all[i].name, all[i].value, all[i].least, all[i].most);
    if (o->max_keep && o->min_keep > o->max_keep)
        return sv_fail(err, SVLM_ERR_ARG, "pruning: min_keep is %d, above max_keep %d",
                       o->min_keep, o->max_keep);
    return SVLM_OK;
}

static svlm_status check_lists(const svlm_prune_options *o, svlm_error *err)
{
    const sv_method *m = sv_method_get(o->method);
    int n = o->n_layers_list;
    if (n < 0 || n > SV_MAX_STAGES)
        return sv_fail(err, SVLM_ERR_ARG, "pruning: a list of %d layers, at most %d are allowed",
                       n, SV_MAX_STAGES);
    if (n == 0)
        return SVLM_OK;
    if (m->reduce)
        return sv_fail(err, SVLM_ERR_ARG, "%s prunes before the first layer and takes no list",
                       m->name);
    if (!o->layers)
        return sv_fail(err, SVLM_ERR_ARG, "pruning: a list of %d layers, but none given", n);
    for (int i = 0; i < n; i++) {
        if (o->layers[i] < 0 || (i && o->layers[i] <= o->layers[i - 1]))
            return sv_fail(err, SVLM_ERR_ARG, "pruning: layer %d at place %d of the list; "
                           "layers count from 0 and ascend", o->layers[i], i + 1);
        if (o->keep && (o->keep[i] < 0 || (i && o->keep[i] > o->keep[i - 1])))
            return sv_fail(err, SVLM_ERR_ARG, "pruning: keep %d at place %d of the list; "
                           "what is gone does not come back", o->keep[i], i + 1);
    }
    return SVLM_OK;
}

svlm_status sv_prune_check(const svlm_prune_options *o, svlm_error *err)
{
    if (!svlm_prune_name(o->method))
        return sv_fail(err, SVLM_ERR_ARG, "pruning: unknown method %d", (int)o->method);
    if ((unsigned)o->positions > SVLM_POSITIONS_KEEP)
        return sv_fail(err, SVLM_ERR_ARG, "pruning: unknown positions %d", (int)o->positions);
    svlm_status st = check_numbers(o, err);
    return st ? st : check_lists(o, err);
}
