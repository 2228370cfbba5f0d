/* SPDX-License-Identifier: MIT */
/* The keys and tensors of a LLaVA pair of a given shape, and random data for them. */
#include "bench/make_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"

/* ---- shapes ---------------------------------------------------------------- */

#define TOWER                                                                                      \
    .image_size = 336, .patch = 14, .v_embd = 1024, .v_ff = 4096, .v_blocks = 23, .v_heads = 16,   \
    .v_eps = 1e-5f
#define LLAMA .n_vocab = 32000, .n_ctx = 4096, .eps = 1e-5f, .theta = 10000, TOWER

int sv_model_shape_by_name(sv_model_shape *s, const char *name)
{
    static const sv_model_shape shapes[] = {
        {.name = "llava-7b",
         .n_embd = 4096,
         .n_ff = 11008,
         .n_layers = 32,
         .n_heads = 32,
         .n_kv_heads = 32,
         LLAMA},
        {.name = "llava-13b",
         .n_embd = 5120,
         .n_ff = 13824,
         .n_layers = 40,
         .n_heads = 40,
         .n_kv_heads = 40,
         LLAMA},
        {.name = "llava-1b",
         .n_embd = 2048,
         .n_ff = 5632,
         .n_layers = 22,
         .n_heads = 32,
         .n_kv_heads = 4,
         LLAMA},
        {.name = "tiny",
         .n_vocab = 512,
         .n_embd = 64,
         .n_ff = 96,
         .n_layers = 4,
         .n_heads = 4,
         .n_kv_heads = 2,
         .n_ctx = 1024,
         .eps = 1e-5f,
         .theta = 10000,
         .image_size = 56,
         .patch = 14,
         .v_embd = 32,
         .v_ff = 64,
         .v_blocks = 2,
         .v_heads = 2,
         .v_eps = 1e-5f},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(shapes[i].name, name)) {
            *s = shapes[i];
            s->mix = sv_mix_by_name(i < 3 ? "Q4_0" : "F16");
            s->v_mix = sv_mix_by_name("F16");
            s->seed = 1;
            return 1;
        }
    return 0;
}

const char *sv_model_shape_fault(const sv_model_shape *s)
{
    if (s->n_vocab < 355 || s->n_vocab > 57000)
        return "the vocabulary has 355 to 57000 tokens";
    if (s->n_embd < 1 || s->n_ff < 1 || s->n_layers < 1 || s->n_heads < 1 || s->n_kv_heads < 1)
        return "widths, layers and heads are at least 1";
    if (s->n_embd % s->n_heads || s->n_embd / s->n_heads % 2)
        return "the heads must divide the width into even parts";
    if (s->n_heads % s->n_kv_heads)
        return "the key heads must divide the heads";
    if (s->patch < 1 || s->image_size < s->patch || s->image_size % s->patch)
        return "the patch must divide the image size";
    if (s->v_embd < 1 || s->v_ff < 1 || s->v_blocks < 1 || s->v_heads < 1 || s->v_embd % s->v_heads)
        return "the tower's heads must divide its width";
    return NULL;
}

/* ---- what is written, unless a test wants otherwise ------------------------- */

typedef struct maker {
    sv_gguf_writer *w;
    const sv_model_shape *s;
    sv_mix_model model;
    int vision;
} maker;

int sv_patch_wants(const sv_model_patch *p, sv_gguf_writer *w, const char *name)
{
    return !(p->omit && !strcmp(p->omit, name)) && !(p->put && p->put(p->user, w, name));
}

static int wants(const maker *m, const char *name)
{
    return sv_patch_wants(&m->s->patch_with, m->w, name);
}

static void put_u32(const maker *m, const char *key, int v)
{
    if (wants(m, key))
        sv_gguf_put_u32(m->w, key, (uint32_t)v);
}

static void put_f32(const maker *m, const char *key, float v)
{
    if (wants(m, key))
        sv_gguf_put_f32(m->w, key, v);
}

static void put_bool(const maker *m, const char *key, int v)
{
    if (wants(m, key))
        sv_gguf_put_bool(m->w, key, v);
}

static void put_str(const maker *m, const char *key, const char *v)
{
    if (wants(m, key))
        sv_gguf_put_str(m->w, key, v);
}

static void put_array(const maker *m, const char *key, sv_gguf_type type, const void *v, size_t n)
{
    if (wants(m, key))
        sv_gguf_put_array(m->w, key, type, v, n);
}

/* A tensor of the dimensions that are not 0, innermost first. */
static void put_tensor(const maker *m, const int dim[4], const char *fmt, ...) SV_PRINTF(3, 4);

static void put_tensor(const maker *m, const int dim[4], const char *fmt, ...)
{
    char name[64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    uint64_t d[4];
    int n = 0;
    while (n < 4 && dim[n]) {
        d[n] = (uint64_t)dim[n];
        n++;
    }
    sv_type type = m->vision ? sv_mix_vision_type(m->s->v_mix, name, n, d[0])
                             : sv_mix_type(m->s->mix, &m->model, name, n, d[0]);
    if (wants(m, name))
        sv_gguf_put_tensor(m->w, name, type, n, d);
}

/* ---- the language model ----------------------------------------------------- */

static svlm_status put_llm_keys(const maker *m, svlm_error *err)
{
    const sv_model_shape *s = m->s;
    put_str(m, "general.architecture", "llama");
    put_str(m, "general.type", "model");
    put_str(m, "general.name", s->name);
    put_u32(m, "general.file_type", (int)sv_mix_file_type(s->mix));
    put_u32(m, "general.quantization_version", 2);
    put_u32(m, "llama.block_count", s->n_layers);
    put_u32(m, "llama.context_length", s->n_ctx);
    put_u32(m, "llama.embedding_length", s->n_embd);
    put_u32(m, "llama.feed_forward_length", s->n_ff);
    put_u32(m, "llama.attention.head_count", s->n_heads);
    put_u32(m, "llama.attention.head_count_kv", s->n_kv_heads);
    put_f32(m, "llama.attention.layer_norm_rms_epsilon", s->eps);
    put_f32(m, "llama.rope.freq_base", s->theta);
    put_u32(m, "llama.rope.dimension_count", s->n_embd / s->n_heads);
    put_u32(m, "llama.vocab_size", s->n_vocab);
    return sv_put_vocab(m->w, &s->patch_with, (size_t)s->n_vocab, err);
}

static void put_llm_tensors(const maker *m)
{
    const sv_model_shape *s = m->s;
    int d = s->n_embd, kv = d / s->n_heads * s->n_kv_heads;
    put_tensor(m, (int[4]){ d, s->n_vocab }, "token_embd.weight");
    for (int i = 0; i < s->n_layers; i++) {
        put_tensor(m, (int[4]){ d }, "blk.%d.attn_norm.weight", i);
        put_tensor(m, (int[4]){ d, d }, "blk.%d.attn_q.weight", i);
        put_tensor(m, (int[4]){ d, kv }, "blk.%d.attn_k.weight", i);
        put_tensor(m, (int[4]){ d, kv }, "blk.%d.attn_v.weight", i);
        put_tensor(m, (int[4]){ d, d }, "blk.%d.attn_output.weight", i);
        put_tensor(m, (int[4]){ d }, "blk.%d.ffn_norm.weight", i);
        put_tensor(m, (int[4]){ d, s->n_ff }, "blk.%d.ffn_gate.weight", i);
        put_tensor(m, (int[4]){ d, s->n_ff }, "blk.%d.ffn_up.weight", i);
        put_tensor(m, (int[4]){ s->n_ff, d }, "blk.%d.ffn_down.weight", i);
    }
    put_tensor(m, (int[4]){ d }, "output_norm.weight");
    if (!s->tied)
        put_tensor(m, (int[4]){ d, s->n_vocab }, "output.weight");
}

/* ---- tower and projector ---------------------------------------------------- */

static void put_vision_keys(const maker *m)
{
    static const float mean[] = { 0.48145466f, 0.4578275f, 0.40821073f };
    static const float std[] = { 0.26862954f, 0.26130258f, 0.27577711f };
    const sv_model_shape *s = m->s;
    int n = s->image_size;
    int32_t layer[] = { s->v_blocks }, points[] = { n, 2 * n, 2 * n, n, 2 * n, 2 * n };
    put_str(m, "general.architecture", "clip");
    put_str(m, "general.type", "mmproj");
    put_str(m, "general.name", s->name);
    put_u32(m, "general.file_type", (int)sv_mix_file_type(s->v_mix));
    put_bool(m, "clip.has_text_encoder", 0);
    put_bool(m, "clip.has_vision_encoder", 1);
    put_bool(m, "clip.has_llava_projector", 1);
    put_str(m, "clip.projector_type", "mlp");
    put_u32(m, "clip.vision.image_size", n);
    put_u32(m, "clip.vision.patch_size", s->patch);
    put_u32(m, "clip.vision.embedding_length", s->v_embd);
    put_u32(m, "clip.vision.feed_forward_length", s->v_ff);
    put_u32(m, "clip.vision.projection_dim", s->n_embd);
    put_u32(m, "clip.vision.attention.head_count", s->v_heads);
    put_f32(m, "clip.vision.attention.layer_norm_epsilon", s->v_eps);
    put_u32(m, "clip.vision.block_count", s->v_blocks);
    put_array(m, "clip.vision.feature_layer", SV_GGUF_I32, layer, 1);
    put_array(m, "clip.vision.image_mean", SV_GGUF_F32, mean, 3);
    put_array(m, "clip.vision.image_std", SV_GGUF_F32, std, 3);
    put_bool(m, "clip.use_gelu", s->gelu);
    if (s->tiles) {
        put_array(m, "clip.vision.image_grid_pinpoints", SV_GGUF_I32, points, 6);
        put_str(m, "clip.vision.image_aspect_ratio", "anyres");
        put_str(m, "clip.vision.mm_patch_merge_type", "spatial_unpad");
    }
}

static void put_both(const maker *m, int n_in, int n_out, const char *name)
{
    put_tensor(m, (int[4]){ n_in, n_out }, "%s.weight", name);
    put_tensor(m, (int[4]){ n_out }, "%s.bias", name);
}

static void put_norm(const maker *m, int n, const char *name)
{
    put_tensor(m, (int[4]){ n }, "%s.weight", name);
    put_tensor(m, (int[4]){ n }, "%s.bias", name);
}

static void put_vision_block(const maker *m, int i)
{
    static const char *const square[] = { "attn_q", "attn_k", "attn_v", "attn_out" };
    const sv_model_shape *s = m->s;
    char name[40];
    for (int k = 0; k < 4; k++) {
        snprintf(name, sizeof name, "v.blk.%d.%s", i, square[k]);
        put_both(m, s->v_embd, s->v_embd, name);
    }
    for (int k = 1; k <= 2; k++) {
        snprintf(name, sizeof name, "v.blk.%d.ln%d", i, k);
        put_norm(m, s->v_embd, name);
    }
    snprintf(name, sizeof name, "v.blk.%d.%s", i, s->swapped_ffn ? "ffn_down" : "ffn_up");
    put_both(m, s->v_embd, s->v_ff, name);
    snprintf(name, sizeof name, "v.blk.%d.%s", i, s->swapped_ffn ? "ffn_up" : "ffn_down");
    put_both(m, s->v_ff, s->v_embd, name);
}

static void put_vision_tensors(const maker *m)
{
    const sv_model_shape *s = m->s;
    int side = s->image_size / s->patch;
    put_tensor(m, (int[4]){ s->v_embd }, "v.class_embd");
    put_tensor(m, (int[4]){ s->patch, s->patch, 3, s->v_embd }, "v.patch_embd.weight");
    put_tensor(m, (int[4]){ s->v_embd, side * side + 1 }, "v.position_embd.weight");
    put_norm(m, s->v_embd, "v.pre_ln");
    for (int i = 0; i < s->v_blocks; i++)
        put_vision_block(m, i);
    put_both(m, s->v_embd, s->n_embd, "mm.0");
    put_both(m, s->n_embd, s->n_embd, "mm.2");
    if (s->tiles)
        put_tensor(m, (int[4]){ s->n_embd }, "model.image_newline");
}

/* ---- data ------------------------------------------------------------------- */

/* Values a task draws at a time, each from its own seed, so that the file does not
 * depend on the number of threads. A multiple of every block. */
enum { TASK = 1 << 16, TASKS = 64 };

typedef struct drawing {
    const sv_gguf_tensor *t;
    uint8_t *out;
    uint64_t first, n_values, seed;
    float deviation;
} drawing;

static void draw(void *arg, int task, int thread)
{
    const drawing *d = arg;
    uint64_t at = d->first + (uint64_t)task * TASK;
    uint64_t n = d->n_values - at < TASK ? d->n_values - at : TASK;
    (void)thread;
    sv_random_values(d->out + sv_type_bytes(d->t->type, (size_t)task * TASK), d->t->type, (size_t)n,
                     d->deviation, d->seed + at * UINT64_C(0x9e3779b97f4a7c15));
}

/* Norms are around 1, so that no signal is lost; vectors stay small; matrices keep the
 * size of what they are applied to. */
static float deviation_of(const sv_gguf_tensor *t)
{
    if (t->n_dims == 1)
        return 0.05f;
    if (!strcmp(t->name, "v.position_embd.weight"))
        return 0.1f;
    double n_in =
        (double)t->dim[0] * (t->n_dims == 4 ? (double)t->dim[1] * (double)t->dim[2] : 1.0);
    return (float)(1 / sqrt(n_in));
}

static int is_norm(const char *name)
{
    return (strstr(name, "norm") || strstr(name, "ln")) && strstr(name, ".weight");
}

static svlm_status write_tensor(const maker *m, size_t i, uint8_t *buffer, svlm_error *err)
{
    const sv_gguf_tensor *t = sv_gguf_tensor_at(m->w, i);
    const sv_model_patch *p = &m->s->patch_with;
    sv_rng seeds = { m->s->seed * 1000003 + i + (m->vision ? 500000 : 0) };
    drawing d = { .t = t, .out = buffer, .n_values = t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3],
                  .seed = sv_rng_next(&seeds), .deviation = deviation_of(t) };
    for (; d.first < d.n_values; d.first += TASK * TASKS) {
        uint64_t n = d.n_values - d.first < TASK * TASKS ? d.n_values - d.first : TASK * TASKS;
        sv_parallel(sv_threads_available(), (int)((n + TASK - 1) / TASK), draw, &d);
        size_t n_bytes = sv_type_bytes(t->type, (size_t)n);
        if (is_norm(t->name) && t->type == SV_F32)
            for (uint64_t k = 0; k < n; k++)
                ((float *)(void *)buffer)[k] += 1;
        if (p->data)
            p->data(p->user, t, buffer, n_bytes);
        svlm_status st = sv_gguf_write(m->w, buffer, n_bytes, err);
        if (st)
            return st;
    }
    return SVLM_OK;
}

static svlm_status write_data(const maker *m, svlm_error *err)
{
    uint8_t *buffer = sv_malloc(SV_MEM_TEMP, TASK * TASKS, sizeof(float));
    svlm_status st = SVLM_OK;
    if (!buffer)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for random weights");
    for (size_t i = 0; i < sv_gguf_n_tensors(m->w) && !st; i++)
        st = write_tensor(m, i, buffer, err);
    sv_free(buffer);
    return st;
}

static svlm_status make(const sv_model_shape *s, int vision, const char *path, svlm_error *err)
{
    maker m = {
        .s = s, .model = {s->n_layers, s->n_heads, s->n_kv_heads, s->tied}, .vision = vision};
    svlm_status st;
    const char *fault = sv_model_shape_fault(s);
    if (fault)
        return sv_fail(err, SVLM_ERR_ARG, "cannot make a model of this shape: %s", fault);
    if ((st = sv_gguf_create(&m.w, path, err)))
        return st;
    if (vision) {
        put_vision_keys(&m);
        put_vision_tensors(&m);
    } else {
        st = put_llm_keys(&m, err);
        put_llm_tensors(&m);
    }
    if (!st && !(st = write_data(&m, err)))
        st = sv_gguf_commit(m.w, err);
    sv_gguf_discard(m.w);
    return st;
}

svlm_status sv_make_llm(const sv_model_shape *s, const char *path, svlm_error *err)
{
    return make(s, 0, path, err);
}

svlm_status sv_make_mmproj(const sv_model_shape *s, const char *path, svlm_error *err)
{
    return make(s, 1, path, err);
}
