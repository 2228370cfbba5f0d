/* SPDX-License-Identifier: MIT */
/* The callbacks of a hook made from options, and its report. */
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "prune/pruner.h"

static void forget(sv_pruner *p)
{
    p->n_stages = p->next = p->decided = 0;
    p->n_text = p->n_raters = p->fallback = 0;
}

static svlm_status reduce(void *user, const svlm_reduce_view *v, svlm_reduction *r)
{
    sv_pruner *p = user;
    if (v->image == 0)
        forget(p);
    return sv_stage_reduce(p, v, r);
}

static svlm_status begin(void *user, const svlm_view *v)
{
    sv_pruner *p = user;
    svlm_status st;
    if (p->method->reduce)
        return SVLM_OK;
    forget(p);
    if ((st = sv_judges_begin(p, v)))
        return st;
    st = sv_schedule_make(&p->schedule, &p->opt, v->n_layers, p->n_visual, p->n_raters, NULL);
    return st ? st : sv_stages_reserve(p, p->schedule.n);
}

/* Is anything to be decided after this layer? Not without a judge, nor when a list
 * wants no fewer rows than there are. */
static int stage_is_due(const sv_pruner *p, const svlm_view *v)
{
    int n = 0;
    if (p->next == p->schedule.n || v->layer != p->schedule.layer[p->next] || !p->n_raters)
        return 0;
    for (int i = 0; i < v->n_rows; i++)
        n += sv_is_visual(v->kind[i]);
    return n > 1 && (p->method->by_content ||
                     sv_list_keep(&p->opt, p->schedule.keep[p->next], n) < n);
}

/* The depths of a schedule follow from the options and the depth of the model. */
static int first_layer_of(void *user, int n_layers)
{
    const sv_pruner *p = user;
    sv_schedule s;
    if (sv_schedule_make(&s, &p->opt, n_layers, SV_FULL_PICTURE, SV_TYPICAL_RATERS, NULL))
        return 0;
    return s.n ? s.layer[0] : n_layers;
}

static svlm_status plan(void *user, const svlm_view *v, svlm_plan *plan)
{
    sv_pruner *p = user;
    while (p->next < p->schedule.n && p->schedule.layer[p->next] < v->layer)
        p->next++;
    p->decided = 0;
    if (stage_is_due(p, v)) {
        plan->edit = 1;
        plan->n_query = sv_judges_find(p, v);
        plan->query = p->query;
    }
    return SVLM_OK;
}

static svlm_status drop(void *user, const svlm_view *v, svlm_drop *drop)
{
    sv_pruner *p = user;
    svlm_status st = sv_stage_decide(p, v);
    if (st)
        return st;
    sv_stage *s = &p->stages[p->n_stages];
    drop->n_unused = sv_stage_unused(s);
    drop->unused = s->rows_out;
    return SVLM_OK;
}

static svlm_status edit(void *user, const svlm_view *v, svlm_edit *edit)
{
    sv_pruner *p = user;
    svlm_status st = p->decided ? SVLM_OK : sv_stage_decide(p, v);
    return st ? st : sv_stage_edit(p, v, edit);
}

static void destroy(void *user)
{
    sv_pruner *p = user;
    for (int i = 0; i < p->cap_stages; i++)
        sv_free(p->stages[i].memory.p);
    sv_free(p->stages);
    sv_free(p->report);
    sv_free(p->text_memory.p);
    sv_free(p->work.p);
    sv_free((void *)p->opt.layers);
    sv_free((void *)p->opt.keep);
    sv_free(p);
}

static const int *copy_list(const int *list, int n)
{
    int *copy = sv_malloc(SV_MEM_HOOK, (size_t)n, sizeof *copy);
    if (copy)
        memcpy(copy, list, (size_t)n * sizeof *copy);
    return copy;
}

/* The options with lists of their own; on failure nothing needs to be freed but p. */
static svlm_status own_options(sv_pruner *p, const svlm_prune_options *o)
{
    p->opt = *o;
    p->opt.layers = p->opt.keep = NULL;
    if (o->n_layers_list && !(p->opt.layers = copy_list(o->layers, o->n_layers_list)))
        return SVLM_ERR_NOMEM;
    if (o->n_layers_list && o->keep && !(p->opt.keep = copy_list(o->keep, o->n_layers_list)))
        return SVLM_ERR_NOMEM;
    return SVLM_OK;
}

svlm_status svlm_prune_hook(svlm_hook *hook, const svlm_prune_options *opt, svlm_error *err)
{
    svlm_prune_options o;
    svlm_status st = sv_options_read(&o, sizeof o, opt, "svlm_prune_options", err);
    if (st || (st = sv_prune_check(&o, err)))
        return st;
    if (!hook)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_prune_hook: nowhere to put the hook");
    sv_pruner *p = sv_calloc(SV_MEM_HOOK, 1, sizeof *p);
    if (!p)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a pruning hook");
    if ((st = own_options(p, &o))) {
        destroy(p);
        return sv_fail(err, st, "no memory for a pruning hook");
    }
    p->method = sv_method_get(o.method);
    p->k = sv_kernels_get();
    p->compact = o.positions == SVLM_POSITIONS_AUTO ? !p->method->keeps_positions
                                                    : o.positions == SVLM_POSITIONS_COMPACT;
    SVLM_INIT(hook);
    hook->user = p;
    hook->needs_class_attention = p->method->needs_class_attention;
    hook->reduce = p->method->reduce ? reduce : NULL;
    hook->first_layer_of = p->method->reduce ? NULL : first_layer_of;
    hook->begin = begin;
    hook->plan = plan;
    hook->drop = o.no_drop ? NULL : drop;
    hook->edit = edit;
    hook->destroy = destroy;
    return SVLM_OK;
}

svlm_status svlm_prune_get_report(const svlm_hook *hook, svlm_prune_report *report)
{
    if (!hook || !hook->user || hook->destroy != destroy)
        return SVLM_ERR_ARG;
    const sv_pruner *p = hook->user;
    svlm_prune_report r = {
        .size = sizeof r, .n_text = p->n_text, .text_row = p->text_row,
        .text_token = p->text_token, .rater_score = p->rater_score, .n_raters = p->n_raters,
        .raters = p->raters, .raters_fallback = p->fallback, .n_stages = p->n_stages,
        .stages = p->report,
    };
    return sv_result_write(report, &r, sizeof r);
}
