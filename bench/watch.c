/* SPDX-License-Identifier: MIT */
/* One prefill watched through the public hook: see watch.h. */
#include "bench/watch.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

/* ---- rows ------------------------------------------------------------------ */

static svlm_status see_first(void *user, const svlm_view *v)
{
    sv_watched *w = user;
    w->n_layers = v->n_layers;
    w->n_rows = v->n_rows;
    w->n_embd = v->n_embd;
    size_t n = (size_t)v->n_rows * (size_t)v->n_embd;
    if (!(w->rows = sv_malloc(SV_MEM_TEMP, ((size_t)v->n_layers + 1) * n, sizeof *w->rows)))
        return SVLM_ERR_NOMEM;
    memcpy(w->rows, v->hidden, n * sizeof *w->rows);
    return SVLM_OK;
}

static svlm_status ask_for_all(void *user, const svlm_view *v, svlm_plan *plan)
{
    (void)user;
    (void)v;
    plan->edit = 1;
    return SVLM_OK;
}

static svlm_status see_layer(void *user, const svlm_view *v, svlm_edit *edit)
{
    sv_watched *w = user;
    size_t n = (size_t)w->n_rows * (size_t)w->n_embd;
    (void)edit;                   /* all rows go on */
    memcpy(w->rows + ((size_t)v->layer + 1) * n, v->hidden, n * sizeof *w->rows);
    return SVLM_OK;
}

/* ---- survivors ------------------------------------------------------------- */

static svlm_status copy_stage(sv_watched_stage *to, const svlm_prune_stage *s, int n_visual,
                              svlm_error *err)
{
    to->layer = s->layer;
    to->kept = sv_calloc(SV_MEM_TEMP, (size_t)n_visual, 1);
    to->score = s->score ? sv_calloc(SV_MEM_TEMP, (size_t)n_visual, sizeof *to->score) : NULL;
    if (!to->kept || (s->score && !to->score))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a stage of %d rows", n_visual);
    for (int i = 0; i < s->n_keep; i++)
        if (s->in_origin[s->keep[i]] >= 0)
            to->kept[s->in_origin[s->keep[i]]] = 1;
    for (int i = 0; s->score && i < s->n_in; i++)
        if (s->in_origin[i] >= 0)
            to->score[s->in_origin[i]] = s->score[i];
    return SVLM_OK;
}

static svlm_status copy_stages(sv_watched *w, const svlm_hook *hook, svlm_error *err)
{
    svlm_prune_report r;
    svlm_status st = SVLM_OK;
    SVLM_INIT(&r);
    if (svlm_prune_get_report(hook, &r) || r.n_stages > SV_WATCH_STAGES)
        return sv_fail(err, SVLM_ERR_ARG, "more than %d stages", SV_WATCH_STAGES);
    if (!(w->judges = sv_malloc(SV_MEM_TEMP, (size_t)r.n_raters, sizeof *w->judges)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %d judges", r.n_raters);
    w->n_judges = r.n_raters;
    for (int i = 0; i < r.n_raters; i++)
        w->judges[i] = r.text_row[r.raters[i]];
    for (; w->n_stages < r.n_stages && !st; w->n_stages++)
        st = copy_stage(&w->stages[w->n_stages], &r.stages[w->n_stages], w->n_visual, err);
    return st;
}

/* ---- the prefill ----------------------------------------------------------- */

static svlm_status copy_logits(sv_watched *w, svlm_chat *chat, svlm_error *err)
{
    const float *logits = svlm_chat_logits(chat, &w->n_vocab);
    if (!logits)
        return sv_fail(err, SVLM_ERR_NUMERIC, "the model gave no logits");
    if (!(w->logits = sv_malloc(SV_MEM_TEMP, (size_t)w->n_vocab, sizeof *logits)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %d logits", w->n_vocab);
    memcpy(w->logits, logits, (size_t)w->n_vocab * sizeof *logits);
    return SVLM_OK;
}

svlm_status sv_watch(sv_watched *w, svlm_model *model, svlm_features *picture,
                     const char *question, double retain, svlm_error *err)
{
    svlm_hook hook = { .size = sizeof hook, .user = w, .begin = see_first, .plan = ask_for_all,
                       .edit = see_layer };
    svlm_prune_options po;
    svlm_chat_options co;
    svlm_chat *chat = NULL;
    svlm_status st;
    memset(w, 0, sizeof *w);
    w->n_visual = svlm_features_n_rows(picture);
    SVLM_INIT(&po);
    SVLM_INIT(&co);
    po.retain = retain;
    co.hook = &hook;
    co.reuse_bytes = 1;           /* none: every layer is to be seen */
    if (retain > 0 && (st = svlm_prune_hook(&hook, &po, err)))
        return st;
    if ((st = svlm_chat_new(&chat, model, &co, err))) {
        if (hook.destroy)
            hook.destroy(hook.user);
        return st;
    }
    if (!(st = svlm_chat_add_features(chat, picture, err)) &&
        !(st = svlm_chat_add_text(chat, question, err)) && !(st = svlm_chat_ask(chat, err)) &&
        !(st = copy_logits(w, chat, err)) && retain > 0)
        st = copy_stages(w, &hook, err);
    svlm_chat_free(chat);
    return st;
}

void sv_watched_free(sv_watched *w)
{
    for (int i = 0; i < SV_WATCH_STAGES; i++) {
        sv_free(w->stages[i].kept);
        sv_free(w->stages[i].score);
    }
    sv_free(w->judges);
    sv_free(w->rows);
    sv_free(w->logits);
    memset(w, 0, sizeof *w);
}

/* ---- distances ------------------------------------------------------------- */

sv_rows_apart sv_rows_compare(const float *a, const float *b, int n_rows, int n_embd)
{
    sv_rows_apart d = { 1, 0, 0 };
    double apart = 0, size = 0;
    for (int r = 0; r < n_rows; r++, a += n_embd, b += n_embd) {
        double aa = 0, bb = 0, ab = 0;
        for (int i = 0; i < n_embd; i++) {
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
            ab += (double)a[i] * b[i];
            apart += ((double)b[i] - a[i]) * ((double)b[i] - a[i]);
        }
        double cosine = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : aa == bb;
        d.cosine_mean += cosine / n_rows;
        d.cosine_min = fmin(d.cosine_min, cosine);
        size += aa;
    }
    d.relative = size > 0 ? sqrt(apart / size) : 0;
    return d;
}

double sv_overlap(const uint8_t *a, const uint8_t *b, int n)
{
    int both = 0, either = 0;
    for (int i = 0; i < n; i++) {
        both += a[i] && b[i];
        either += a[i] || b[i];
    }
    return either ? (double)both / either : 1;
}

double sv_deviation(const float *x, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += (double)x[i] / n;
    for (int i = 0; i < n; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
    return sqrt(square);
}
