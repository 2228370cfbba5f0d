/* SPDX-License-Identifier: MIT */
/* From a picture to its features: preprocess, then each input through tower and
 * projector in turn, so that memory does not grow with the number of tiles. */
#include <string.h>

#include "base/alloc.h"
#include "tensor/ops.h"
#include "vision/vit.h"

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* One picture being encoded: how, and how far. */
typedef struct encode {
    const sv_vit *v;
    const sv_kernels *k;
    int n_threads, precise, class_attention;
    sv_progress progress;
    sv_vit_state s;
    sv_merge merge;
    svlm_features *out;
    int n_done, n_layers;         /* of all inputs */
} encode;

static void layout(encode *e, sv_arena *a)
{
    const sv_vit *v = e->v;
    sv_vit_state *s = &e->s;
    size_t size = (size_t)v->image_size, f = sizeof(float);
    int head = v->n_embd / v->n_heads, n_features = v->n_features * v->n_embd;
    int max_in = max_int(max_int(v->n_ff, v->patch_w.n_in), max_int(n_features, v->mm2.w.n_in));
    int max_out = max_int(max_int(v->n_ff, v->n_embd), max_int(v->mm0.w.n_out, v->n_out));
    s->v = v;
    s->grid = v->image_size / v->patch;
    s->n_patches = s->grid * s->grid;
    s->n_rows = s->n_patches + v->has_class;
    size_t n_patches = (size_t)s->n_patches, n_rows = (size_t)s->n_rows;
    size_t n_embd = (size_t)v->n_embd;
    s->planes = sv_take(a, 3 * size * size, f);
    s->patches = sv_take(a, 3 * size * size, f);
    s->x = sv_take(a, n_rows * n_embd, f);
    s->xn = sv_take(a, n_rows * n_embd, f);
    s->q = sv_take(a, n_rows * n_embd, f);
    s->k = sv_take(a, n_rows * n_embd, f);
    s->value = sv_take(a, n_rows * n_embd, f);
    s->ff = sv_take(a, n_rows * (size_t)v->n_ff, f);
    s->features = sv_take(a, n_patches * (size_t)n_features, f);
    s->hidden = v->mm2.w.data ? sv_take(a, n_patches * (size_t)v->mm0.w.n_out, f) : NULL;
    s->rows = sv_take(a, n_patches * (size_t)v->n_out, f);
    s->class_probability =
        e->class_attention ? sv_take(a, n_patches * (size_t)v->n_heads, f) : NULL;
    sv_mm_layout(&s->mm, a, e->k, e->n_threads, e->precise, s->n_rows, max_in, max_out);
    s->mm.bf16 = 1;
    sv_attention_layout(&s->attention, a, e->k, e->n_threads, head, s->n_rows);
}

/* The hidden state after so many blocks, wherever it is among the features. */
static void keep_features(sv_vit_state *s, int n_blocks)
{
    const sv_vit *v = s->v;
    size_t width = (size_t)v->n_embd, stride = width * (size_t)v->n_features;
    const float *from = s->x + (size_t)v->has_class * width;
    for (int i = 0; i < v->n_features; i++)
        for (int p = 0; v->feature[i] == n_blocks && p < s->n_patches; p++)
            memcpy(s->features + (size_t)p * stride + (size_t)i * width, from + (size_t)p * width,
                   width * sizeof *from);
}

static svlm_status run_tower(encode *e, const svlm_image *input, svlm_error *err)
{
    const sv_vit *v = e->v;
    sv_vit_embed(&e->s, input);
    keep_features(&e->s, 0);
    for (int i = 0; i < v->n_run; i++) {
        svlm_status st = sv_report(&e->progress, SVLM_STAGE_ENCODE, e->n_done, e->n_layers, err);
        if (st)
            return st;
        sv_vit_layer(&e->s, &v->blocks[i]);
        keep_features(&e->s, i + 1);
        e->n_done++;
    }
    if (!sv_all_finite(e->s.features, (size_t)e->s.n_patches * v->n_features * v->n_embd))
        return sv_fail(err, SVLM_ERR_NUMERIC, "the vision tower gave NaN or infinity");
    return SVLM_OK;
}

/* Mean over heads of a patch's key. */
static void mean_key(float *to, const float *key, int n_heads, int head)
{
    memset(to, 0, (size_t)head * sizeof *to);
    for (int h = 0; h < n_heads; h++)
        for (int i = 0; i < head; i++)
            to[i] += key[h * head + i] / (float)n_heads;
}

static void store_class_attention(const encode *e, int patch, int row)
{
    const sv_vit_state *s = &e->s;
    float sum = 0;
    for (int h = 0; h < s->v->n_heads; h++)
        sum += s->class_probability[(size_t)h * s->n_patches + patch];
    e->out->class_attention[row] = sum / (float)s->v->n_heads;
    mean_key(e->out->keys + (size_t)row * e->out->key_width,
             s->k + (size_t)(patch + s->v->has_class) * s->v->n_embd, s->v->n_heads,
             e->out->key_width);
}

/* Rows of one input to their places. */
static void store(encode *e, int input)
{
    sv_vit_state *s = &e->s;
    size_t width = (size_t)e->out->width;
    if (s->class_probability) {
        sv_attention a;
        sv_vit_attention(s, &a, 1);
        sv_attention_probabilities(&s->attention, s->class_probability, 1, &a);
    }
    for (int p = 0; p < s->n_patches; p++) {
        int row = sv_merge_row(&e->merge, input, p % s->grid, p / s->grid);
        if (row < 0)
            continue;
        memcpy(e->out->rows + (size_t)row * width, s->rows + (size_t)p * width,
               width * sizeof *s->rows);
        if (s->class_probability)
            store_class_attention(e, p, row);
    }
}

static svlm_status run_inputs(encode *e, const sv_tiles *t, svlm_error *err)
{
    svlm_status st;
    for (int i = 0; i < t->n_inputs; i++) {
        if ((st = run_tower(e, t->inputs[i], err)))
            return st;
        sv_vit_project(&e->s);
        store(e, i);
    }
    if (!sv_all_finite(e->out->rows, (size_t)e->out->n_rows * e->out->width))
        return sv_fail(err, SVLM_ERR_NUMERIC, "the projector gave NaN or infinity");
    return sv_report(&e->progress, SVLM_STAGE_ENCODE, e->n_done, e->n_layers, err);
}

static svlm_status new_result(encode *e, svlm_error *err)
{
    const sv_vit *v = e->v;
    svlm_status st = sv_features_new(&e->out, e->merge.n_rows, v->n_out, err);
    if (st)
        return st;
    sv_merge_geometry(&e->merge, e->out);
    if (!e->class_attention)
        return SVLM_OK;
    size_t n = (size_t)e->merge.n_rows;
    e->out->key_width = v->n_embd / v->n_heads;
    e->out->class_attention = sv_calloc(SV_MEM_FEATURES, n, sizeof(float));
    e->out->keys = sv_calloc(SV_MEM_FEATURES, n * (size_t)e->out->key_width, sizeof(float));
    if (!e->out->class_attention || !e->out->keys)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for the class row's attention");
    return SVLM_OK;
}

static svlm_status encode_tiles(encode *e, const sv_tiles *t, svlm_error *err)
{
    sv_arena a = { 0 };
    layout(e, &a);
    size_t n_bytes = a.used;
    void *block = a.overflow ? NULL : sv_block_new(SV_MEM_TEMP, n_bytes, 1);
    if (!block)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory to encode a picture");
    a = (sv_arena){ .base = block, .size = n_bytes };
    layout(e, &a);
    sv_merge_plan(&e->merge, e->v, t);
    e->n_layers = e->v->n_run * t->n_inputs;
    svlm_status st = new_result(e, err);
    if (!st)
        st = run_inputs(e, t, err);
    sv_block_free(block, n_bytes);
    return st;
}

svlm_status sv_vision_encode(svlm_features **out, const sv_vit *v, const sv_kernels *k,
                             int n_threads, int precise, const svlm_image *image,
                             const svlm_features_options *opt, svlm_error *err)
{
    encode e = { .v = v, .k = k, .n_threads = n_threads, .precise = precise,
                 .class_attention = opt->class_attention,
                 .progress = { opt->progress, opt->user } };
    sv_preproc preproc = v->preproc;
    sv_tiles tiles;
    *out = NULL;
    if (e.class_attention && (!v->has_class || !v->n_run))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "class attention was asked for, but this vision "
                       "tower has no class row");
    preproc.n_threads = n_threads;
    svlm_status st = sv_tiles_make(&tiles, image, &preproc, opt->preproc, err);
    if (st)
        return st;
    st = encode_tiles(&e, &tiles, err);
    sv_tiles_free(&tiles);
    if (st)
        svlm_features_close(e.out);
    else
        *out = e.out;
    return st;
}
