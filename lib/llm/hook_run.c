/* SPDX-License-Identifier: MIT */
/* Runs a hook: shows it the rows, computes the attention it asks for, checks
 * every list it returns, and takes the rows out that it does not keep. */
#include "llm/turn.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "llm/hook_edit.h"

static svlm_view view_of(const sv_session *s, const sv_turn *t, int layer)
{
    const sv_llm *m = s->m;
    const sv_rows *r = &s->rows;
    return (svlm_view){
        .size = sizeof(svlm_view), .layer = layer, .n_layers = m->n_layers, .n_embd = m->n_embd,
        .n_heads = m->n_heads, .n_kv_heads = m->n_kv_heads, .head_dim = m->head_dim,
        .rope_base = m->rope_base, .n_rows = r->n, .kind = r->kind, .position = r->position,
        .image = r->image, .origin = r->origin, .token = r->token, .question = r->question,
        .n_images = t->n_images, .image_rows = t->image_rows, .image_cells = t->cells,
        .hidden = r->hidden,
    };
}

/* The view of drop and edit. */
static svlm_view view_with_attention(const sv_session *s, const sv_turn *t, int layer)
{
    svlm_view v = view_of(s, t, layer);
    v.n_query = t->n_query;
    v.query = s->query;
    v.attention = t->n_query ? t->attention : NULL;
    return v;
}

static svlm_status failed(const char *what, int layer, svlm_status st, svlm_error *err)
{
    if (layer < 0)
        return sv_fail(err, SVLM_ERR_HOOK, "the hook's %s failed: %s", what, svlm_strstatus(st));
    return sv_fail(err, SVLM_ERR_HOOK, "the hook's %s failed at layer %d: %s", what, layer,
                   svlm_strstatus(st));
}

svlm_status sv_hook_reduce(sv_session *s, sv_turn *t, const svlm_reduce_view *view,
                           svlm_reduction *r, svlm_error *err)
{
    double start = sv_seconds();
    SVLM_INIT(r);
    svlm_status st = t->hook->reduce(t->hook->user, view, r);
    s->hook_seconds += sv_seconds() - start;
    if (st)
        return sv_fail(err, SVLM_ERR_HOOK, "the hook's reduce failed for picture %d: %s",
                       view->image, svlm_strstatus(st));
    return sv_check_reduction(view, r, err);
}

svlm_status sv_hook_begin(sv_session *s, sv_turn *t, svlm_error *err)
{
    if (!t->hook || !t->hook->begin)
        return SVLM_OK;
    double start = sv_seconds();
    svlm_view v = view_of(s, t, -1);
    svlm_status st = t->hook->begin(t->hook->user, &v);
    s->hook_seconds += sv_seconds() - start;
    return st ? failed("begin", -1, st, err) : SVLM_OK;
}

/* One growing block for the probabilities and the queries they come from. */
static svlm_status reserve_attention(const sv_session *s, sv_turn *t, svlm_error *err)
{
    size_t n = sv_llm_attention_floats(s, t->n_query);
    if (n <= t->n_attention)
        return SVLM_OK;
    sv_free(t->attention);
    t->n_attention = 0;
    t->attention = sv_malloc(SV_MEM_HOOK, n, sizeof(float));
    if (!t->attention)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for the attention of %d rows over %d",
                       t->n_query, s->rows.n);
    t->n_attention = n;
    return SVLM_OK;
}

svlm_status sv_hook_plan(sv_session *s, sv_turn *t, int layer, int *edit, svlm_error *err)
{
    svlm_plan plan;
    svlm_status st;
    *edit = 0;
    if (!t->hook || !t->hook->plan || !t->hook->edit || layer < t->first_layer)
        return SVLM_OK;
    double start = sv_seconds();
    svlm_view v = view_of(s, t, layer);
    SVLM_INIT(&plan);
    st = t->hook->plan(t->hook->user, &v, &plan);
    s->hook_seconds += sv_seconds() - start;
    if (st)
        return failed("plan", layer, st, err);
    if (!plan.edit)
        return SVLM_OK;
    if ((st = sv_check_list("query rows", layer, plan.query, plan.n_query, s->rows.n, err)))
        return st;
    *edit = 1;
    t->want_input = plan.want_input;
    t->n_query = plan.n_query;
    if (plan.n_query)
        memcpy(s->query, plan.query, (size_t)plan.n_query * sizeof *s->query);
    return reserve_attention(s, t, err);
}

/* Everything that is not named goes on. */
static svlm_status call_drop(sv_session *s, const sv_turn *t, int layer, svlm_error *err)
{
    svlm_drop drop;
    svlm_view v = view_with_attention(s, t, layer);
    SVLM_INIT(&drop);
    svlm_status st = t->hook->drop(t->hook->user, &v, &drop);
    if (st)
        return failed("drop", layer, st, err);
    if ((st = sv_check_list("unused rows", layer, drop.unused, drop.n_unused, s->rows.n, err)))
        return st;
    for (int i = 0; i < drop.n_unused; i++) {
        if (s->rows.kind[drop.unused[i]] == SVLM_ROW_TEXT)
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's unused rows of layer %d name row %d,"
                           " which is text", layer, (int)drop.unused[i]);
        s->unused[drop.unused[i]] = 1;
    }
    return SVLM_OK;
}

svlm_status sv_hook_drop(sv_session *s, sv_turn *t, int layer, int *n_live, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    double start = sv_seconds();
    memset(s->unused, 0, (size_t)s->rows.n);
    if (t->n_query) {
        sv_llm_attention(s, layer, s->query, t->n_query, t->attention);
        if (t->hook->drop)
            st = call_drop(s, t, layer, err);
    }
    *n_live = 0;
    for (int i = 0; i < s->rows.n; i++)
        if (!s->unused[i])
            s->live[(*n_live)++] = i;
    s->hook_seconds += sv_seconds() - start;
    return st;
}

svlm_status sv_hook_edit(sv_session *s, sv_turn *t, int layer, svlm_error *err)
{
    svlm_edit edit;
    svlm_view v = view_with_attention(s, t, layer);
    double start = sv_seconds();
    SVLM_INIT(&edit);
    v.hidden_before = t->want_input ? s->before : NULL;
    svlm_status st = t->hook->edit(t->hook->user, &v, &edit);
    if (st)
        return failed("edit", layer, st, err);
    if ((st = sv_check_edit(s, t, layer, &edit, err)))
        return st;
    sv_apply_edit(s, layer, &edit);
    s->hook_seconds += sv_seconds() - start;
    return SVLM_OK;
}

void sv_hook_end(sv_turn *t)
{
    if (t->hook && t->hook->end)
        t->hook->end(t->hook->user);
}
