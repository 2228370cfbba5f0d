/* SPDX-License-Identifier: MIT */
/* A turn of the conversation, text and pictures in one pass, layer by layer.
 * Between layers a hook may take rows away; the cache follows. */
#include "llm/session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "llm/reuse.h"
#include "llm/turn.h"
#include "tensor/ops.h"

static svlm_status open_turn(sv_session *s, sv_turn *t, svlm_error *err)
{
    size_t n = (size_t)s->m->n_layers * sizeof(int32_t), n_images = (size_t)t->n_images;
    t->room = sv_session_room(s);
    t->cells = sv_calloc(SV_MEM_TEMP, n_images, sizeof *t->cells);
    t->image_rows = sv_calloc(SV_MEM_TEMP, n_images, sizeof *t->image_rows);
    memcpy(s->past, s->kv.len, n);
    memcpy(s->past_position, s->next_position, n);
    memset(s->visual_in, 0, n);
    memset(s->rows_in, 0, n);
    sv_spans_free(s);
    s->n_reused = s->n_reused_layers = 0;
    s->reuse_bytes = 0;
    s->prefill_seconds = s->hook_seconds = 0;
    if (!t->cells || !t->image_rows)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a prompt of %d pictures", t->n_images);
    return SVLM_OK;
}

/* A turn that failed leaves no trace: rows beyond a layer's length are never read. */
static void close_turn(sv_session *s, sv_turn *t, svlm_status st)
{
    size_t n = (size_t)s->m->n_layers * sizeof(int32_t);
    if (st) {
        memcpy(s->kv.len, s->past, n);
        memcpy(s->next_position, s->past_position, n);
    } else {
        s->n_total += s->n_prompt;
    }
    sv_free(t->cells);
    sv_free(t->image_rows);
    sv_free(t->attention);
}

/* Up to which layer rows before the question are the same for every question. */
static int first_layer(const sv_session *s, const svlm_hook *hook)
{
    int n = s->m->n_layers;
    if (hook)
        n = hook->first_layer_of ? hook->first_layer_of(hook->user, n) : hook->first_layer;
    if (n < 0 || (hook && hook->reduce))
        return 0;
    return n < s->m->n_layers ? n : s->m->n_layers;
}

static void trace(sv_session *s, int layer)
{
    if (s->trace)
        s->trace(s->trace_user, layer, s->rows.hidden, s->rows.n);
}

/* The rows enter a layer: their positions there, and what statistics want. */
static void enter(sv_session *s, const sv_turn *t, int layer)
{
    sv_rows *r = &s->rows;
    for (int i = 0; i < r->n; i++)
        r->position[i] = s->past_position[layer] + r->place[i];
    s->rows_in[layer] = r->n;
    s->visual_in[layer] = sv_spans_count(s, t, layer);
}

/* Some layers stop after keys and values for rows whose output nobody reads: those a
 * hook dropped, and in the last layer all but the last row, which alone has logits. */
static svlm_status run_layer(sv_session *s, sv_turn *t, int layer, int edits, svlm_error *err)
{
    sv_rows *r = &s->rows;
    int n_live = 1, n_done = layer < s->n_reused_layers ? s->n_reused : 0;
    int is_short = edits || (layer == s->m->n_layers - 1 && !s->trace);
    const int32_t *todo = s->all + n_done;
    size_t n_embd = (size_t)s->m->n_embd;
    svlm_status st;
    sv_llm_layer(s, layer, todo, r->n - n_done, is_short ? SV_KEYS : SV_KEYS | SV_OUTPUT);
    s->live[0] = r->n - 1;
    if (edits && (st = sv_hook_drop(s, t, layer, &n_live, err)))
        return st;
    if (is_short)
        sv_llm_layer(s, layer, s->live, n_live, SV_OUTPUT);
    /* The last row hears of NaN anywhere; a hook is not to rank any. */
    for (int i = 0; i < n_live; i++)
        if (!sv_all_finite(r->hidden + (size_t)s->live[i] * n_embd, n_embd))
            return sv_fail_numeric(layer, err);
    return SVLM_OK;
}

static svlm_status step(sv_session *s, sv_turn *t, int layer, svlm_error *err)
{
    sv_rows *r = &s->rows;
    int edits;
    svlm_status st;
    enter(s, t, layer);
    if ((st = sv_hook_plan(s, t, layer, &edits, err)))
        return st;
    if (edits && t->want_input)
        memcpy(s->before, r->hidden, (size_t)r->n * (size_t)s->m->n_embd * sizeof(float));
    if ((st = run_layer(s, t, layer, edits, err)))
        return st;
    s->kv.len[layer] = s->past[layer] + r->n;
    s->next_position[layer] = s->past_position[layer] + r->span;
    if (edits && (st = sv_hook_edit(s, t, layer, err)))
        return st;
    trace(s, layer);
    return SVLM_OK;
}

static svlm_status run_turn(sv_session *s, sv_turn *t, const sv_progress *progress,
                            svlm_error *err)
{
    int n_layers = s->m->n_layers;
    svlm_status st;
    if ((st = sv_prompt_rows(s, t, err)))
        return st;
    if (s->rows.n < 1)
        return sv_fail(err, SVLM_ERR_HOOK, "the hook's reduce leaves no row at all");
    enter(s, t, 0);                 /* positions, for begin */
    if ((st = sv_hook_begin(s, t, err)))
        return st;
    trace(s, -1);
    s->n_reused = sv_reuse_restore(s, t);
    s->n_reused_layers = s->n_reused ? t->first_layer : 0;
    for (int layer = 0; layer < n_layers; layer++) {
        if (layer == t->first_layer && !s->n_reused)
            sv_reuse_keep(s, t);
        if ((st = sv_report(progress, SVLM_STAGE_PREFILL, layer, n_layers, err)) ||
            (st = step(s, t, layer, err)))
            return st;
    }
    if (t->first_layer == n_layers && !s->n_reused)
        sv_reuse_keep(s, t);
    s->visual_out = sv_spans_count(s, t, n_layers);
    if ((st = sv_logits(s, err)))
        return st;
    return sv_report(progress, SVLM_STAGE_PREFILL, n_layers, n_layers, err);
}

svlm_status sv_prefill(sv_session *s, const sv_prompt *p, svlm_features *const *images,
                       int n_images, const svlm_hook *hook, const sv_progress *progress,
                       svlm_error *err)
{
    double start = sv_seconds();
    sv_turn t = { .prompt = p, .images = images, .n_images = n_images, .hook = hook,
                  .first_layer = first_layer(s, hook) };
    svlm_status st = open_turn(s, &t, err);
    if (!st) {
        st = run_turn(s, &t, progress, err);
        sv_hook_end(&t);
    }
    close_turn(s, &t, st);
    s->prefill_seconds = sv_seconds() - start;
    return st;
}
