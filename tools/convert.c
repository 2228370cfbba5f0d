/* SPDX-License-Identifier: MIT */
/* First a plan: every tensor that the model described by config.json must have, found in
 * the checkpoint with the right shape. Then both headers, then the data in that order. */
#include "convert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "convert_source.h"
#include "convert_vocab.h"
#include "recode.h"

typedef struct item {
    char name[64];                /* in the GGUF file */
    const sv_st_tensor *t;
    int n_dims;
    uint64_t dim[4];              /* innermost first  */
    sv_type type;
    uint64_t head_rows;
} item;

typedef struct converting {
    const sv_convert_job *job;
    sv_hf_config c;
    sv_source source;
    item *items;
    size_t n_items, room, n_llm;  /* the language model's come first */
    uint64_t n_rows;              /* of the embedding                */
    sv_mix_model model;
    int vision;                   /* which file is being planned     */
    svlm_status status;           /* first failure while planning    */
    svlm_error *err;
} converting;

/* ---- plan ------------------------------------------------------------------- */

static int same_shape(const sv_st_tensor *t, const item *it)
{
    if (t->n_dims != it->n_dims)
        return 0;
    for (int i = 0; i < t->n_dims; i++)
        if (t->dim[i] != it->dim[t->n_dims - 1 - i])
            return 0;
    return 1;
}

static void shape_text(char *out, size_t n, const sv_st_tensor *t)
{
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < t->n_dims && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, "%s%" PRIu64, i ? " x " : "", t->dim[i]);
}

static svlm_status check_item(const converting *v, const item *it)
{
    const sv_st_tensor *t = it->t;
    char shape[200];
    if (!same_shape(t, it)) {
        shape_text(shape, sizeof shape, t);
        return sv_fail(v->err, SVLM_ERR_FORMAT,
                       "%s: tensor %s has the shape [%s], which config.json does not allow",
                       v->job->folder, t->name, shape);
    }
    for (int i = 0; i < it->n_dims; i++)
        if (!it->dim[i])
            return sv_fail(v->err, SVLM_ERR_FORMAT, "%s: tensor %s is empty", v->job->folder,
                           t->name);
    if (t->type < 0)
        return sv_fail(v->err, SVLM_ERR_UNSUPPORTED,
                       "%s: tensor %s has the dtype %s; only F32, F16 and BF16 are read",
                       v->job->folder, t->name, t->dtype);
    return SVLM_OK;
}

static item *next_item(converting *v)
{
    if (v->n_items == v->room) {
        size_t room = v->room * 2 + 128;
        item *grown = sv_realloc(SV_MEM_TEMP, v->items, room, sizeof *grown);
        if (!grown) {
            v->status = sv_fail(v->err, SVLM_ERR_NOMEM, "no memory for a list of tensors");
            return NULL;
        }
        v->items = grown;
        v->room = room;
    }
    item *it = &v->items[v->n_items];
    memset(it, 0, sizeof *it);
    return it;
}

typedef struct pair { char gguf[64], hf[96]; } pair;      /* a tensor's two names */

static pair names(const char *gguf, const char *hf)
{
    pair p;
    snprintf(p.gguf, sizeof p.gguf, "%s", gguf);
    snprintf(p.hf, sizeof p.hf, "%s", hf);
    return p;
}

/* The names within a layer or block, without .weight or .bias. */
static pair in_layer(int vision, int layer, const char *gguf, const char *hf)
{
    pair p;
    snprintf(p.gguf, sizeof p.gguf, "%sblk.%d.%s", vision ? "v." : "", layer, gguf);
    snprintf(p.hf, sizeof p.hf, "%slayers.%d.%s", vision ? "encoder." : "", layer, hf);
    return p;
}

/* The tensor p.gguf of the given dimensions (innermost first, 0 ends them) is p.hf of the
 * checkpoint. */
static void want_heads(converting *v, pair p, const int dim[4], int head_rows)
{
    item *it;
    if (v->status || !(it = next_item(v)))
        return;
    snprintf(it->name, sizeof it->name, "%s", p.gguf);
    for (; it->n_dims < 4 && dim[it->n_dims]; it->n_dims++)
        it->dim[it->n_dims] = (uint64_t)dim[it->n_dims];
    it->head_rows = (uint64_t)head_rows;
    it->type = v->vision ? sv_mix_vision_type(v->job->tower, it->name, it->n_dims, it->dim[0])
                         : sv_mix_type(v->job->type, &v->model, it->name, it->n_dims, it->dim[0]);
    if (!(it->t = sv_source_find(&v->source, p.hf)))
        v->status =
            sv_fail(v->err, SVLM_ERR_FORMAT, "%s: the tensor %s is missing", v->job->folder, p.hf);
    else
        v->status = check_item(v, it);
    v->n_items += !v->status;
}

static void want(converting *v, pair p, const int dim[4])
{
    want_heads(v, p, dim, 0);
}

static void want_suffix(converting *v, pair p, const char *suffix, const int dim[4], int head_rows)
{
    strncat(p.gguf, suffix, sizeof p.gguf - strlen(p.gguf) - 1);
    strncat(p.hf, suffix, sizeof p.hf - strlen(p.hf) - 1);
    want_heads(v, p, dim, head_rows);
}

static void want_matrix(converting *v, pair p, int n_in, int n_out, int head_rows)
{
    want_suffix(v, p, ".weight", (int[4]){ n_in, n_out }, head_rows);
}

/* A matrix or a norm with its bias. */
static void want_linear(converting *v, pair p, int n_in, int n_out)
{
    want_suffix(v, p, ".weight", (int[4]){ n_in, n_out }, 0);
    want_suffix(v, p, ".bias", (int[4]){ n_out }, 0);
}

static void want_norm(converting *v, pair p, int n)
{
    want_suffix(v, p, ".weight", (int[4]){ n }, 0);
    want_suffix(v, p, ".bias", (int[4]){ n }, 0);
}

static void plan_layer(converting *v, int i)
{
    const sv_hf_config *c = &v->c;
    int d = c->n_embd, q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    want_suffix(v, in_layer(0, i, "attn_norm", "input_layernorm"), ".weight", (int[4]){ d }, 0);
    want_matrix(v, in_layer(0, i, "attn_q", "self_attn.q_proj"), d, q, c->head_size);
    want_matrix(v, in_layer(0, i, "attn_k", "self_attn.k_proj"), d, kv, c->head_size);
    want_matrix(v, in_layer(0, i, "attn_v", "self_attn.v_proj"), d, kv, 0);
    want_matrix(v, in_layer(0, i, "attn_output", "self_attn.o_proj"), q, d, 0);
    want_suffix(v, in_layer(0, i, "ffn_norm", "post_attention_layernorm"), ".weight", (int[4]){d},
                0);
    want_matrix(v, in_layer(0, i, "ffn_gate", "mlp.gate_proj"), d, c->n_ff, 0);
    want_matrix(v, in_layer(0, i, "ffn_up", "mlp.up_proj"), d, c->n_ff, 0);
    want_matrix(v, in_layer(0, i, "ffn_down", "mlp.down_proj"), c->n_ff, d, 0);
}

static void plan_llm(converting *v)
{
    const sv_hf_config *c = &v->c;
    const sv_st_tensor *embed = sv_source_find(&v->source, "embed_tokens.weight");
    v->n_rows = embed && embed->n_dims == 2 && embed->dim[0] <= INT32_MAX ? embed->dim[0] : 0;
    v->model = (sv_mix_model){ c->n_layers, c->n_heads, c->n_kv_heads, 0 };
    v->model.tied = c->tied && !sv_source_find(&v->source, "lm_head.weight");
    want(v, names("token_embd.weight", "embed_tokens.weight"), (int[4]){c->n_embd, (int)v->n_rows});
    for (int i = 0; i < c->n_layers; i++)
        plan_layer(v, i);
    want(v, names("output_norm.weight", "norm.weight"), (int[4]){ c->n_embd });
    if (!v->model.tied)
        want(v, names("output.weight", "lm_head.weight"), (int[4]){ c->n_embd, (int)v->n_rows });
    v->n_llm = v->n_items;
}

static void plan_projector(converting *v)
{
    const sv_hf_config *c = &v->c;
    int n_in = c->v_embd * c->n_features;
    int original = sv_source_find(&v->source, "mm_projector.0.weight") != NULL;
    if (c->n_projector == 1) {
        want_linear(v, names("mm.0", "mm_projector"), n_in, c->n_embd);
        return;
    }
    want_linear(v, names("mm.0", original ? "mm_projector.0" : "multi_modal_projector.linear_1"),
                n_in, c->n_embd);
    want_linear(v, names("mm.2", original ? "mm_projector.2" : "multi_modal_projector.linear_2"),
                c->n_embd, c->n_embd);
}

static void plan_block(converting *v, int i)
{
    int d = v->c.v_embd;
    want_linear(v, in_layer(1, i, "attn_k", "self_attn.k_proj"), d, d);
    want_linear(v, in_layer(1, i, "attn_v", "self_attn.v_proj"), d, d);
    want_linear(v, in_layer(1, i, "attn_q", "self_attn.q_proj"), d, d);
    want_linear(v, in_layer(1, i, "attn_out", "self_attn.out_proj"), d, d);
    want_linear(v, in_layer(1, i, "ffn_up", "mlp.fc1"), d, v->c.v_ff);
    want_linear(v, in_layer(1, i, "ffn_down", "mlp.fc2"), v->c.v_ff, d);
    want_norm(v, in_layer(1, i, "ln1", "layer_norm1"), d);
    want_norm(v, in_layer(1, i, "ln2", "layer_norm2"), d);
}

static void plan_vision(converting *v)
{
    const sv_hf_config *c = &v->c;
    int side = c->image_size / c->patch;
    v->vision = 1;
    plan_projector(v);
    if (c->spatial_unpad)
        want(v, names("model.image_newline", "image_newline"), (int[4]){ c->n_embd });
    want(v, names("v.class_embd", "embeddings.class_embedding"), (int[4]){ c->v_embd });
    want(v, names("v.patch_embd.weight", "embeddings.patch_embedding.weight"),
         (int[4]){ c->patch, c->patch, 3, c->v_embd });
    want(v, names("v.position_embd.weight", "embeddings.position_embedding.weight"),
         (int[4]){ c->v_embd, side * side + 1 });
    want_norm(v, names("v.pre_ln", "pre_layrnorm"), c->v_embd);
    for (int i = 0; i < c->n_blocks; i++)
        plan_block(v, i);
}

/* ---- headers ---------------------------------------------------------------- */

static void put_general(const converting *v, sv_gguf_writer *w, const char *architecture,
                        const char *type, const sv_mix *mix)
{
    sv_gguf_put_str(w, "general.architecture", architecture);
    sv_gguf_put_str(w, "general.type", type);
    sv_gguf_put_str(w, "general.name", v->job->name);
    sv_gguf_put_u32(w, "general.file_type", sv_mix_file_type(mix));
    sv_gguf_put_u32(w, "general.quantization_version", 2);
}

static svlm_status put_llm_keys(const converting *v, sv_gguf_writer *w)
{
    const sv_hf_config *c = &v->c;
    put_general(v, w, "llama", "model", v->job->type);
    sv_gguf_put_u32(w, "llama.block_count", (uint32_t)c->n_layers);
    sv_gguf_put_u32(w, "llama.context_length", (uint32_t)c->n_ctx);
    sv_gguf_put_u32(w, "llama.embedding_length", (uint32_t)c->n_embd);
    sv_gguf_put_u32(w, "llama.feed_forward_length", (uint32_t)c->n_ff);
    sv_gguf_put_u32(w, "llama.attention.head_count", (uint32_t)c->n_heads);
    sv_gguf_put_u32(w, "llama.attention.head_count_kv", (uint32_t)c->n_kv_heads);
    if (c->head_size * c->n_heads != c->n_embd) {
        sv_gguf_put_u32(w, "llama.attention.key_length", (uint32_t)c->head_size);
        sv_gguf_put_u32(w, "llama.attention.value_length", (uint32_t)c->head_size);
    }
    sv_gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", c->eps);
    sv_gguf_put_f32(w, "llama.rope.freq_base", c->theta);
    sv_gguf_put_u32(w, "llama.rope.dimension_count", (uint32_t)c->head_size);
    if (c->rope_factor > 0) {
        sv_gguf_put_str(w, "llama.rope.scaling.type", "linear");
        sv_gguf_put_f32(w, "llama.rope.scaling.factor", c->rope_factor);
    }
    sv_gguf_put_u32(w, "llama.vocab_size", (uint32_t)v->n_rows);
    return sv_convert_vocab(w, v->job->folder, c, v->n_rows, v->err);
}

static void put_vision_keys(const converting *v, sv_gguf_writer *w)
{
    const sv_hf_config *c = &v->c;
    put_general(v, w, "clip", "mmproj", v->job->tower);
    sv_gguf_put_bool(w, "clip.has_vision_encoder", 1);
    sv_gguf_put_bool(w, "clip.has_llava_projector", 1);
    sv_gguf_put_str(w, "clip.projector_type", "mlp");
    sv_gguf_put_u32(w, "clip.vision.image_size", (uint32_t)c->image_size);
    sv_gguf_put_u32(w, "clip.vision.patch_size", (uint32_t)c->patch);
    sv_gguf_put_u32(w, "clip.vision.embedding_length", (uint32_t)c->v_embd);
    sv_gguf_put_u32(w, "clip.vision.feed_forward_length", (uint32_t)c->v_ff);
    sv_gguf_put_u32(w, "clip.vision.projection_dim", (uint32_t)c->n_embd);
    sv_gguf_put_u32(w, "clip.vision.attention.head_count", (uint32_t)c->v_heads);
    sv_gguf_put_f32(w, "clip.vision.attention.layer_norm_epsilon", c->v_eps);
    sv_gguf_put_u32(w, "clip.vision.block_count", (uint32_t)c->n_blocks);
    sv_gguf_put_array(w, "clip.vision.feature_layer", SV_GGUF_I32, c->feature,
                      (size_t)c->n_features);
    sv_gguf_put_array(w, "clip.vision.image_mean", SV_GGUF_F32, c->mean, 3);
    sv_gguf_put_array(w, "clip.vision.image_std", SV_GGUF_F32, c->std, 3);
    sv_gguf_put_bool(w, "clip.use_gelu", c->gelu);
    if (c->n_pinpoints) {
        sv_gguf_put_array(w, "clip.vision.image_grid_pinpoints", SV_GGUF_I32, c->pinpoints,
                          2 * (size_t)c->n_pinpoints);
        sv_gguf_put_str(w, "clip.vision.image_aspect_ratio", "anyres");
        sv_gguf_put_str(w, "clip.vision.mm_patch_merge_type",
                        c->spatial_unpad ? "spatial_unpad" : "flat");
    }
}

/* ---- data ------------------------------------------------------------------- */

static svlm_status write_item(const converting *v, sv_gguf_writer *w, const item *it)
{
    uint64_t n = 1, n_in = it->n_dims > 1 ? it->dim[0] : 1;
    for (int i = 0; i < it->n_dims; i++)
        n *= it->dim[i];
    sv_recode_source s = {.name = it->name,
                          .data = it->t->data,
                          .type = (sv_type)it->t->type,
                          .n_rows = n / n_in,
                          .n_in = n_in,
                          .head_rows = it->head_rows};
    svlm_status st = sv_recode(w, &s, it->type, v->job->n_threads, NULL, v->err);
    sv_source_release(&v->source, it->t);
    return st;
}

/* One of the two files, from first to end of the items, not yet under its name. */
static svlm_status write_file(const converting *v, sv_gguf_writer *w, size_t first, size_t end)
{
    const sv_convert_job *job = v->job;
    svlm_status st = SVLM_OK;
    if (first)
        put_vision_keys(v, w);
    else
        st = put_llm_keys(v, w);
    for (size_t i = first; i < end; i++)
        sv_gguf_put_tensor(w, v->items[i].name, v->items[i].type, v->items[i].n_dims,
                           v->items[i].dim);
    for (size_t i = first; i < end && !st; i++) {
        st = write_item(v, w, &v->items[i]);
        if (!st && job->step && job->step(job->user, i + 1, v->n_items))
            st = sv_fail(v->err, SVLM_ERR_CANCELLED, "cancelled");
    }
    return st;
}

static svlm_status write_pair(const converting *v)
{
    sv_gguf_writer *llm = NULL, *mmproj = NULL;
    svlm_status st;
    if (!(st = sv_gguf_create(&llm, v->job->llm, v->err)) &&
        !(st = sv_gguf_create(&mmproj, v->job->mmproj, v->err)) &&
        !(st = write_file(v, llm, 0, v->n_llm)) &&
        !(st = write_file(v, mmproj, v->n_llm, v->n_items)) &&
        !(st = sv_gguf_commit(llm, v->err)))
        st = sv_gguf_commit(mmproj, v->err);
    sv_gguf_discard(llm);
    sv_gguf_discard(mmproj);
    return st;
}

svlm_status sv_convert(const sv_convert_job *job, sv_convert_result *result, svlm_error *err)
{
    converting v = { .job = job, .err = err };
    svlm_status st;
    const char *first = "";
    memset(result, 0, sizeof *result);
    if (!(st = sv_hf_config_load(&v.c, job->folder, job->vision, err)) &&
        !(st = sv_source_open(&v.source, job->folder, job->vision, err))) {
        plan_llm(&v);
        plan_vision(&v);
        if (!(st = v.status))
            st = write_pair(&v);
        result->n_unused = sv_source_unused(&v.source, &first);
        snprintf(result->first_unused, sizeof result->first_unused, "%s", first);
    }
    sv_free(v.items);
    sv_source_close(&v.source);
    sv_hf_config_free(&v.c);
    return st;
}
