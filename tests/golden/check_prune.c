/* SPDX-License-Identifier: MIT */
/* What a pruner decided in a golden case: the report of its own, and a spy between
 * it and the engine, which sees what enters the layers after it. */
#include "golden/check_goldens.h"

#include <math.h>

/* ---- the hook under test --------------------------------------------------- */

static svlm_prune_method method_of(const char *version)
{
    static const struct { const char *version; svlm_prune_method method; } table[] = {
        { "v1.5", SVLM_PRUNE_SPARSEVLM }, { "v2.0", SVLM_PRUNE_SPARSEVLM_PLUS },
        { "v1.0", SVLM_PRUNE_RANK }, { "paper", SVLM_PRUNE_PAPER },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].version, version))
            return table[i].method;
    fail_msg("unknown version %s", version);
    return SVLM_PRUNE_METHODS;
}

static double optional(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

int prune_case_open(prune_case *p, const json_t *json, const char *dir, verdict *v)
{
    const json_t *sparse = json_object_get(json, "sparse");
    svlm_prune_options o;
    svlm_error err;
    size_t n_layers, n_keep;
    int32_t *layers = ints_of(json_object_get(sparse, "layers"), &n_layers);
    int32_t *keep = ints_of(json_object_get(sparse, "keep"), &n_keep);
    int32_t n_model = (int32_t)json_array_size(json_object_get(json, "seq_len"));
    while (n_layers && layers[n_layers - 1] >= n_model)
        n_layers--;               /* layers that do not exist are dropped */
    *p = (prune_case){ .json = json, .dir = dir };
    SVLM_INIT(&o);
    o.method = method_of(json_string_value(json_object_get(sparse, "version")));
    o.n_layers_list = (int)n_layers;
    o.layers = layers;
    o.keep = n_keep ? keep : NULL;
    o.compat = 1;
    o.scale = optional(sparse, "scale");
    o.bias = optional(sparse, "bias");
    o.lambda = optional(sparse, "lambda");
    o.n_heads = (int)optional(sparse, "v2_heads");
    svlm_status st = svlm_prune_hook(&p->inner, &o, &err);
    if (st)
        differ(v, "%s", err.message);
    free(layers);
    free(keep);
    return !st;
}

void prune_case_close(prune_case *p)
{
    if (p->inner.destroy)
        p->inner.destroy(p->inner.user);
}

/* ---- the spy --------------------------------------------------------------- */

static const json_t *stage_of(const prune_case *p, int layer)
{
    char key[16];
    snprintf(key, sizeof key, "%d", layer);
    return json_object_get(json_object_get(p->json, "prune"), key);
}

/* Rows entering a layer after a pruning one: where each came from, and positions:
 * those written down, or 0, 1, 2... */
static void see_rows(prune_case *p, const svlm_view *view)
{
    const json_t *stage = stage_of(p, view->layer - 1);
    int32_t *origin = malloc((size_t)view->n_rows * sizeof *origin);
    int32_t *position = malloc((size_t)view->n_rows * sizeof *position);
    size_t n = 0;
    CHECK(origin && position);
    for (int i = 0; i < view->n_rows; i++)
        if (view->kind[i] != SVLM_ROW_TEXT) {
            origin[n] = view->origin[i];
            position[n++] = view->position[i];
        }
    if (json_object_get(stage, "orig"))            /* not where nothing was pruned */
        same_ints(p->v, "orig", origin, n, json_object_get(stage, "orig"));
    if (json_object_get(stage, "visual_positions"))
        same_ints(p->v, "visual_positions", position, n,
                  json_object_get(stage, "visual_positions"));
    else
        for (int i = 0; i < view->n_rows; i++)
            if (view->position[i] != i) {
                differ(p->v, "row %d enters layer %d with position %d", i, view->layer,
                       (int)view->position[i]);
                break;
            }
    free(origin);
    free(position);
}

static svlm_status spy_reduce(void *user, const svlm_reduce_view *view, svlm_reduction *r)
{
    prune_case *p = user;
    return p->inner.reduce(p->inner.user, view, r);
}

static svlm_status spy_begin(void *user, const svlm_view *view)
{
    prune_case *p = user;
    return p->inner.begin ? p->inner.begin(p->inner.user, view) : SVLM_OK;
}

static svlm_status spy_plan(void *user, const svlm_view *view, svlm_plan *plan)
{
    prune_case *p = user;
    if (stage_of(p, view->layer - 1))
        see_rows(p, view);
    return p->inner.plan(p->inner.user, view, plan);
}

static svlm_status spy_drop(void *user, const svlm_view *view, svlm_drop *drop)
{
    prune_case *p = user;
    return p->inner.drop ? p->inner.drop(p->inner.user, view, drop) : SVLM_OK;
}

static svlm_status spy_edit(void *user, const svlm_view *view, svlm_edit *edit)
{
    prune_case *p = user;
    return p->inner.edit(p->inner.user, view, edit);
}

static void spy_end(void *user)
{
    prune_case *p = user;
    if (p->inner.end)
        p->inner.end(p->inner.user);
}

svlm_hook prune_case_hook(prune_case *p, verdict *v)
{
    p->v = v;
    return (svlm_hook){
        .size = sizeof(svlm_hook), .user = p, .first_layer = p->inner.first_layer,
        .needs_class_attention = p->inner.needs_class_attention,
        .reduce = p->inner.reduce ? spy_reduce : NULL, .begin = spy_begin, .plan = spy_plan,
        .drop = spy_drop, .edit = spy_edit, .end = spy_end,
    };
}

/* ---- the report ------------------------------------------------------------ */

/* Each within its own share. */
static void near_relative(verdict *v, const char *figure, const float *got, const float *want,
                          size_t n, double share)
{
    for (size_t i = 0; i < n; i++)
        near(v, figure, got[i], want[i], share * fabs((double)want[i]) + 1e-12);
}

static void near_json(verdict *v, const char *figure, const float *got, size_t n,
                      const json_t *want, double share)
{
    if (n != json_array_size(want))
        differ(v, "%s: %zu values, expected %zu", figure, n, json_array_size(want));
    for (size_t i = 0; i < n; i++) {
        double w = json_number_value(json_array_get(want, i));
        near(v, figure, got[i], w, share * fabs(w) + 1e-12);
    }
}

static npy stage_npy(const prune_case *p, const char *what, int layer)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s_%d.npy", p->dir, what, layer);
    return golden_npy(path);
}

/* The order of recycled rows is free: everything about them is compared row by row. */
static void check_recycled(const prune_case *p, const svlm_prune_stage *s, const json_t *want)
{
    verdict *v = p->v;
    size_t n, n_assign, n_centres;
    const json_t *list = json_object_get(want, "recycled");
    int32_t *row = ints_of(list, &n), *assign = ints_of(json_object_get(want, "assign"), &n_assign);
    int32_t *centre = ints_of(json_object_get(want, "centres"), &n_centres);
    npy density = stage_npy(p, "density", s->layer);
    same_set(v, "recycled", s->recycled, (size_t)s->n_recycled, list);
    if ((size_t)s->n_merged != n_centres || n_assign != n || density.n != n)
        differ(v, "layer %d: %d merged rows, expected %zu", s->layer, s->n_merged, n_centres);
    for (size_t i = 0; i < n && !v->failed; i++) {
        int j = 0;
        while (s->recycled[j] != row[i])
            j++;
        if (s->assign[j] != assign[i])
            differ(v, "assign: row %d went into merged row %d, expected %d", (int)row[i],
                   (int)s->assign[j], (int)assign[i]);
        near_relative(v, "density", &s->density[j], &density.f[i], 1,
                      number_of(json_object_get(p->json, "tolerance"), "score_rel"));
    }
    for (size_t m = 0; m < n_centres && !v->failed; m++)
        if (s->recycled[s->centre[m]] != row[centre[m]])
            differ(v, "centres[%zu] is row %d, expected %d", m, (int)s->recycled[s->centre[m]],
                   (int)row[centre[m]]);
    npy_free(&density);
    free(row);
    free(assign);
    free(centre);
}

/* A stage that was skipped may be missing from the report. */
static void check_stage(const prune_case *p, const svlm_prune_stage *s, const json_t *want,
                        double share)
{
    verdict *v = p->v;
    npy score = stage_npy(p, "score", s->layer);
    const json_t *singular = json_object_get(want, "singular_values");
    if (s->n_in != (int)number_of(want, "in_visual") || score.n != (size_t)s->n_in)
        differ(v, "layer %d: %d visual rows enter, expected %d", s->layer, s->n_in,
               (int)number_of(want, "in_visual"));
    else if (s->score)
        near_relative(v, "score", s->score, score.f, score.n, share);
    same_ints(v, "kept", s->keep, (size_t)s->n_keep, json_object_get(want, "kept"));
    if (json_object_get(want, "recycled"))
        check_recycled(p, s, want);
    if (json_object_get(want, "rank") && s->rank != (int)number_of(want, "rank"))
        differ(v, "layer %d: rank %d, expected %d", s->layer, s->rank,
               (int)number_of(want, "rank"));
    for (size_t i = 0; singular && i < (size_t)s->n_singular; i++)
        near(v, "singular_values", s->singular[i],
             json_number_value(json_array_get(singular, i)),
             share * json_number_value(json_array_get(singular, 0)));
    if (json_object_get(want, "heads")) {
        same_ints(v, "heads", s->heads, (size_t)s->n_heads, json_object_get(want, "heads"));
        near_json(v, "head_sums", s->head_sums, json_array_size(json_object_get(want, "head_sums")),
                  json_object_get(want, "head_sums"), share);
    }
    npy_free(&score);
}

void check_prune(prune_case *p)
{
    verdict *v = p->v;
    svlm_prune_report r;
    const json_t *prune = json_object_get(p->json, "prune"), *want;
    double share = number_of(json_object_get(p->json, "tolerance"), "score_rel");
    const char *key;
    SVLM_INIT(&r);
    if (svlm_prune_get_report(&p->inner, &r))
        differ(v, "the hook has no report");
    same_ints(v, "raters", r.raters, (size_t)r.n_raters, json_object_get(p->json, "raters"));
    near_json(v, "rater_scores", r.rater_score, (size_t)r.n_text,
              json_object_get(p->json, "rater_scores"), share);
    json_object_foreach((json_t *)(uintptr_t)prune, key, want) {
        int at = 0, layer = atoi(key);
        while (at < r.n_stages && r.stages[at].layer != layer)
            at++;
        if (at < r.n_stages)
            check_stage(p, &r.stages[at], want, share);
        else if (!json_is_true(json_object_get(want, "skipped")))
            differ(v, "nothing was pruned at layer %d", layer);
    }
}

/* Merged rows stand behind the kept visual rows. */
void check_merged(const prune_case *p, verdict *v, int layer, const float *rows, int n_rows,
                  int n_embd)
{
    const json_t *stage = stage_of(p, layer);
    size_t n = (size_t)n_embd, n_merged = json_array_size(json_object_get(stage, "centres"));
    size_t first = (size_t)number_of(p->json, "v_start") +
                   json_array_size(json_object_get(stage, "kept"));
    if (!n_merged)
        return;
    npy merged = stage_npy(p, "merged", layer);
    if (merged.n != n_merged * n || first + n_merged > (size_t)n_rows)
        differ(v, "layer %d: merged rows of another number", layer);
    else
        near_all(v, "merged", rows + first * n, merged.f, merged.n,
                 number_of(json_object_get(p->json, "tolerance"), "merged"));
    npy_free(&merged);
}
