/* SPDX-License-Identifier: MIT */
/* An engine without a model: rows, and attention that a test makes up. It drives a hook
 * through a prefill, checks every list it returns, and applies its edits. */
#ifndef SV_FAKE_ENGINE_H
#define SV_FAKE_ENGINE_H

#include "check.h"

#include <sparsevlm/hook.h>

enum { FAKE_ROWS = 2048, FAKE_WIDTH = 8, FAKE_HEADS = 4, FAKE_LAYERS = 32, FAKE_IMAGES = 4 };

typedef struct fake_engine fake_engine;
typedef float (*fake_attention)(const fake_engine *e, int layer, int head, int query, int row);

struct fake_engine {
    int n_layers, n_heads, n_rows, n_images;
    uint8_t kind[FAKE_ROWS], question[FAKE_ROWS];
    int32_t position[FAKE_ROWS], image[FAKE_ROWS], origin[FAKE_ROWS], token[FAKE_ROWS];
    int32_t image_rows[FAKE_IMAGES];
    int born[FAKE_ROWS];          /* row at the start, -1: merged */
    float hidden[FAKE_ROWS][FAKE_WIDTH];
    fake_attention attention;
    float *probability;           /* [n_heads][n_query][n_rows] of the layer under way */
    int n_entering[FAKE_LAYERS];  /* visual rows */
    int no_drop;                  /* 1: the hook's drop is not called */
    uint64_t seed;
};

/* Any function of its arguments will do, as long as it knows rows by where they came from. */
static inline float fake_noise(const fake_engine *e, int layer, int head, int query, int row)
{
    uint64_t z = e->seed + 1000003u * (uint64_t)(layer + 1) + 7919u * (uint64_t)head;
    z += (uint64_t)(e->born[query] + 3) * 0x9e3779b97f4a7c15u;
    z += (uint64_t)(e->born[row] + 3 + (e->born[row] < 0 ? row : 0)) * 0xd1b54a32d192ed03u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (float)((z ^ (z >> 31)) >> 40) * 0x1p-24f;
}

/* Adds rows of one kind: text when image < 0. */
static inline void fake_add(fake_engine *e, svlm_row_kind kind, int image, int n)
{
    for (int i = 0; i < n; i++) {
        int r = e->n_rows++;
        CHECK(r < FAKE_ROWS);
        e->kind[r] = (uint8_t)kind;
        e->question[r] = 0;
        e->position[r] = r;
        e->image[r] = image;
        e->origin[r] = image < 0 ? -1 : e->image_rows[image]++;
        e->token[r] = image < 0 ? 100 + r : -1;
        e->born[r] = r;
        if (image >= e->n_images)
            e->n_images = image + 1;
        for (int c = 0; c < FAKE_WIDTH; c++)
            e->hidden[r][c] = fake_noise(e, -1, c, r, r) - 0.5f;
    }
}

static inline fake_engine *fake_new(fake_attention attention)
{
    fake_engine *e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    e->n_layers = FAKE_LAYERS;
    e->n_heads = FAKE_HEADS;
    e->attention = attention ? attention : fake_noise;
    e->seed = check_seed();
    return e;
}

static inline void fake_free(fake_engine *e)
{
    free(e->probability);
    free(e);
}

/* Prompt, one picture of n rows, n_text rows after it. */
static inline fake_engine *fake_one_picture(fake_attention attention, int n, int n_text)
{
    fake_engine *e = fake_new(attention);
    fake_add(e, SVLM_ROW_TEXT, -1, 3);
    fake_add(e, SVLM_ROW_IMAGE, 0, n);
    fake_add(e, SVLM_ROW_TEXT, -1, n_text);
    return e;
}

static inline svlm_view fake_view(const fake_engine *e, int layer)
{
    return (svlm_view){
        .size = sizeof(svlm_view), .layer = layer, .n_layers = e->n_layers, .n_embd = FAKE_WIDTH,
        .n_heads = e->n_heads, .n_kv_heads = e->n_heads, .head_dim = 16, .rope_base = 1e4f,
        .n_rows = e->n_rows, .kind = e->kind, .position = e->position, .image = e->image,
        .origin = e->origin, .token = e->token, .question = e->question,
        .n_images = e->n_images, .image_rows = e->image_rows, .hidden = &e->hidden[0][0],
    };
}

static inline void fake_check_list(const int32_t *list, int n, int n_rows)
{
    CHECK(n >= 0 && n <= n_rows);
    for (int i = 0; i < n; i++)
        CHECK(list[i] >= 0 && list[i] < n_rows && (i == 0 || list[i] > list[i - 1]));
}

static inline void fake_fill_attention(fake_engine *e, svlm_view *v, const svlm_plan *plan)
{
    float *p = e->probability = realloc(e->probability, (size_t)e->n_heads * (size_t)plan->n_query *
                                                            (size_t)e->n_rows * sizeof *p + 1);
    CHECK(p != NULL);
    for (int h = 0; h < e->n_heads; h++)
        for (int q = 0; q < plan->n_query; q++)
            for (int r = 0; r < e->n_rows; r++)
                *p++ = r > plan->query[q] ? 0
                                          : e->attention(e, v->layer, h, plan->query[q], r);
    v->n_query = plan->n_query;
    v->query = plan->query;
    v->attention = e->probability;
}

static inline void fake_move(fake_engine *e, int to, const fake_engine *from, int row)
{
    e->kind[to] = from->kind[row];
    e->question[to] = from->question[row];
    e->position[to] = from->position[row];
    e->image[to] = from->image[row];
    e->origin[to] = from->origin[row];
    e->token[to] = from->token[row];
    e->born[to] = from->born[row];
    memcpy(e->hidden[to], from->hidden[row], sizeof e->hidden[to]);
}

static inline void fake_apply(fake_engine *e, const svlm_edit *edit)
{
    if (!edit->keep) {
        CHECK(edit->n_merged == 0);
        return;
    }
    fake_engine *old = malloc(sizeof *old);
    CHECK(old != NULL);
    memcpy(old, e, sizeof *old);
    fake_check_list(edit->keep, edit->n_keep, old->n_rows);
    e->n_rows = 0;
    for (int i = 0, k = 0; i < old->n_rows; i++) {
        int kept = k < edit->n_keep && edit->keep[k] == i;
        CHECK(kept || old->kind[i] != SVLM_ROW_TEXT);
        if (kept) {
            fake_move(e, e->n_rows++, old, i);
            k++;
        }
        int ends = i + 1 == old->n_rows || old->image[i + 1] != old->image[i];
        int last = old->image[i] >= 0 && ends;
        for (int m = 0; last && m < edit->n_merged; m++) {
            if (edit->merged_image[m] != old->image[i])
                continue;
            int r = e->n_rows++;
            e->kind[r] = SVLM_ROW_MERGED;
            e->question[r] = 0;
            e->position[r] = edit->merged_position[m];
            e->image[r] = old->image[i];
            e->origin[r] = e->token[r] = e->born[r] = -1;
            memcpy(e->hidden[r], edit->merged + (size_t)m * FAKE_WIDTH, sizeof e->hidden[r]);
        }
    }
    for (int i = 0; edit->renumber && i < e->n_rows; i++)
        e->position[i] = i;
    free(old);
}

/* Between the layers the rows change a little, each in its own way. */
static inline void fake_layer(fake_engine *e, int layer)
{
    for (int r = 0; r < e->n_rows; r++)
        for (int c = 0; c < FAKE_WIDTH; c++)
            e->hidden[r][c] += 0.1f * (fake_noise(e, layer, c, r, r) - 0.5f);
}

static inline int fake_visual(const fake_engine *e)
{
    int n = 0;
    for (int i = 0; i < e->n_rows; i++)
        n += e->kind[i] != SVLM_ROW_TEXT;
    return n;
}

static inline svlm_status fake_run_layer(fake_engine *e, const svlm_hook *hook, int layer)
{
    svlm_plan plan;
    svlm_drop drop;
    svlm_edit edit;
    svlm_status st;
    SVLM_INIT(&plan);
    SVLM_INIT(&drop);
    SVLM_INIT(&edit);
    e->n_entering[layer] = fake_visual(e);
    svlm_view v = fake_view(e, layer);
    if (layer >= hook->first_layer_of(hook->user, e->n_layers) &&
        (st = hook->plan(hook->user, &v, &plan)))
        return st;
    fake_check_list(plan.query, plan.n_query, e->n_rows);
    if (plan.edit)
        fake_fill_attention(e, &v, &plan);
    if (plan.edit && plan.n_query && hook->drop && !e->no_drop) {
        if ((st = hook->drop(hook->user, &v, &drop)))
            return st;
        fake_check_list(drop.unused, drop.n_unused, e->n_rows);
    }
    fake_layer(e, layer);
    for (int i = 0; i < drop.n_unused; i++) {           /* nobody may look at these */
        CHECK(e->kind[drop.unused[i]] != SVLM_ROW_TEXT);
        for (int c = 0; c < FAKE_WIDTH; c++)
            e->hidden[drop.unused[i]][c] = 1e30f;
    }
    if (!plan.edit)
        return SVLM_OK;
    if ((st = hook->edit(hook->user, &v, &edit)))
        return st;
    fake_apply(e, &edit);
    return SVLM_OK;
}

static inline svlm_status fake_prefill(fake_engine *e, const svlm_hook *hook)
{
    svlm_view v = fake_view(e, -1);
    svlm_status st = hook->begin(hook->user, &v);
    for (int layer = 0; layer < e->n_layers && !st; layer++)
        st = fake_run_layer(e, hook, layer);
    if (hook->end)
        hook->end(hook->user);
    return st;
}

#endif
