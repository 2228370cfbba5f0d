/* SPDX-License-Identifier: MIT */
/* Sessions on a tiny model. */
#include "llm_fixture.h"

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"

static svlm_features *random_picture(int n_rows, int width, sv_rng *r)
{
    svlm_features *f = NULL;
    svlm_error err;
    if (sv_features_new(&f, n_rows, width, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < n_rows * width; i++)
        f->rows[i] = (float)sv_rng_normal(r);
    for (int i = 0; i < n_rows; i++)
        f->cells[i] = (svlm_cell){ .x = (int16_t)(i % 4), .y = (int16_t)(i / 4) };
    return f;
}

void fixture_open(llm_fixture *f, const sv_model_shape *shape)
{
    svlm_error err = { 0 };
    sv_model_shape tiny = tiny_shape();
    sv_rng r = { check_seed() };
    memset(f, 0, sizeof *f);
    tiny_model_make(&f->files, shape ? shape : &tiny);
    if (sv_map_file(&f->map, f->files.llm, 0, &err) || sv_gguf_parse(&f->gguf, &f->map, &err) ||
        sv_llm_load(&f->llm, &f->gguf, NULL, &err))
        fail_msg("%s", err.message);
    f->picture[0] = random_picture(16, f->llm.n_embd, &r);
    f->picture[1] = random_picture(9, f->llm.n_embd, &r);
    f->picture[1]->cells[8].x = -1;
}

void fixture_close(llm_fixture *f)
{
    svlm_features_close(f->picture[0]);
    svlm_features_close(f->picture[1]);
    sv_llm_free(&f->llm);
    sv_gguf_free(&f->gguf);
    sv_map_close(&f->map);
    tiny_model_remove(&f->files);
}

sv_session *fixture_session(const llm_fixture *f, int n_ctx, size_t reuse_bytes)
{
    sv_session_options o = { .n_ctx = n_ctx, .kv_f32 = 1, .n_threads = 1, .precise = 1,
                             .reuse_bytes = reuse_bytes };
    sv_session *s;
    svlm_error err;
    if (sv_session_new(&s, &f->llm, sv_kernels_get(), &o, &err))
        fail_msg("%s", err.message);
    return s;
}

sv_prompt fixture_prompt(const char *layout, int at, uint32_t salt)
{
    sv_prompt p = { .n = strlen(layout), .cap = strlen(layout) };
    p.item = sv_calloc(SV_MEM_TEMP, p.n, sizeof *p.item);
    CHECK(p.item != NULL);
    for (size_t i = 0; i < p.n; i++)
        p.item[i] = (sv_prompt_item){ .is_image = layout[i] == 'P', .question = layout[i] == 'q',
                                      .id = (int32_t)((at + (int)i) * 37 + (int)salt * 11) % 500 };
    return p;
}

void fixture_prefill(const llm_fixture *f, sv_session *s, const sv_prompt *p, int first,
                     const svlm_hook *hook)
{
    svlm_error err;
    int n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->item[i].is_image;
    if (sv_prefill(s, p, f->picture + first, n, hook, NULL, &err))
        fail_msg("%s", err.message);
}

void fixture_decode(sv_session *s, int32_t token)
{
    svlm_error err;
    if (sv_decode(s, token, &err))
        fail_msg("%s", err.message);
}

void check_same_logits(const llm_fixture *f, const sv_session *a, const sv_session *b)
{
    const float *x = sv_session_logits(a), *y = sv_session_logits(b);
    float most = 0;
    for (int i = 0; i < f->llm.n_vocab; i++)
        most = fmaxf(most, fabsf(x[i]));
    for (int i = 0; i < f->llm.n_vocab; i++)
        if (!(fabsf(x[i] - y[i]) <= 100 * FLT_EPSILON * most))
            fail_msg("logit %d: %.9g and %.9g", i, (double)x[i], (double)y[i]);
}

void check_equal_logits(const llm_fixture *f, const sv_session *a, const sv_session *b)
{
    assert_memory_equal(sv_session_logits(a), sv_session_logits(b),
                        (size_t)f->llm.n_vocab * sizeof(float));
}

/* ---- a pruner --------------------------------------------------------------- */

static int is_visual(const svlm_view *v, int row)
{
    return v->kind[row] != SVLM_ROW_TEXT;
}

static float looked_at(const svlm_view *v, int row)
{
    float sum = 0;
    for (int h = 0; h < v->n_heads; h++)
        sum += v->attention[(size_t)h * (size_t)v->n_rows + (size_t)row];
    return sum;
}

/* How many visual rows are looked at more than this one. */
static int rank_of(const svlm_view *v, int row)
{
    int rank = 0;
    for (int i = 0; i < v->n_rows; i++)
        rank += is_visual(v, i) && (looked_at(v, i) > looked_at(v, row) ||
                                    (looked_at(v, i) == looked_at(v, row) && i < row));
    return rank;
}

/* 'k': kept, 'm': merged, 'x': neither. */
static void decide(const thin *t, const svlm_view *v, char *fate)
{
    int n_visual = 0, at = 0;
    for (int i = 0; i < v->n_rows; i++)
        n_visual += is_visual(v, i);
    for (int i = 0; i < v->n_rows; i++) {
        int keep = 1;
        if (is_visual(v, i)) {
            keep = t->every ? t->every < THIN_MAX && at % t->every == 0
                            : rank_of(v, i) < n_visual / 2;
            at++;
        }
        fate[i] = keep ? 'k' : t->merge && at % 3 == 0 ? 'm' : 'x';
    }
}

static svlm_status thin_begin(void *user, const svlm_view *v)
{
    thin *t = user;
    CHECK(v->layer == -1 && v->n_rows <= THIN_MAX && v->n_embd <= THIN_MAX);
    t->n_begin++;
    t->n_edit = 0;
    return SVLM_OK;
}

static svlm_status thin_plan(void *user, const svlm_view *v, svlm_plan *plan)
{
    thin *t = user;
    for (int i = 0; i < t->n_layers; i++)
        plan->edit |= t->layers[i] == v->layer;
    t->query = v->n_rows - 1;
    plan->n_query = 1;
    plan->query = &t->query;
    return SVLM_OK;
}

static svlm_status thin_drop(void *user, const svlm_view *v, svlm_drop *drop)
{
    thin *t = user;
    char fate[THIN_MAX];
    decide(t, v, fate);
    for (int i = 0; t->drop && i < v->n_rows; i++)
        if (fate[i] == 'x')
            t->unused[drop->n_unused++] = i;
    drop->unused = t->unused;
    return SVLM_OK;
}

static svlm_status thin_edit(void *user, const svlm_view *v, svlm_edit *e)
{
    thin *t = user;
    char fate[THIN_MAX];
    int n_pool = 0;
    decide(t, v, fate);
    memset(t->merged, 0, sizeof t->merged);
    for (int i = 0; i < v->n_rows; i++) {
        if (fate[i] == 'k')
            t->keep[e->n_keep++] = i;
        if (fate[i] != 'm')
            continue;
        t->position = v->position[i];
        n_pool++;
        for (int j = 0; j < v->n_embd; j++)
            t->merged[j] += v->hidden[(size_t)i * (size_t)v->n_embd + (size_t)j];
    }
    for (int j = 0; n_pool && j < v->n_embd; j++)
        t->merged[j] /= (float)n_pool;
    e->keep = t->keep;
    e->n_merged = n_pool > 0;
    e->merged = t->merged;
    e->merged_position = &t->position;
    e->renumber = !t->keep_positions;
    memcpy(t->kept[t->n_edit], t->keep, sizeof t->keep);
    t->n_kept[t->n_edit++] = e->n_keep;
    return SVLM_OK;
}

static void thin_end(void *user)
{
    ((thin *)user)->n_end++;
}

svlm_hook thin_hook(thin *t)
{
    return (svlm_hook){ .size = sizeof(svlm_hook), .user = t, .begin = thin_begin,
                        .plan = thin_plan, .drop = thin_drop, .edit = thin_edit, .end = thin_end };
}
