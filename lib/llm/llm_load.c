/* SPDX-License-Identifier: MIT */
/* A GGUF file of architecture llama becomes an sv_llm: hyperparameters checked
 * one by one, matrices as views into the file, small vectors as float copies. */
#include "llm/llm.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>

#include "base/alloc.h"

/* Far beyond any model of this family; below them every product of two fits int64. */
enum { MAX_LAYERS = 1024, MAX_WIDTH = 1 << 20, MAX_HEADS = 4096, MAX_CONTEXT = 1 << 30 };

/* Binding runs twice over the same arena: to measure the float copies, then to
 * make them. */
typedef struct binder {
    sv_llm *m;
    const sv_gguf *g;
    const sv_kernels *k;
    sv_arena arena;
    size_t n_bound;               /* tensors of the file that were used */
    svlm_error *err;
} binder;

static const char *path_of(const sv_gguf *g)
{
    return g->map->path;
}

/* ---- hyperparameters ------------------------------------------------------- */

static svlm_status check_architecture(const sv_gguf *g, svlm_error *err)
{
    sv_span arch;
    svlm_status st = sv_gguf_get_str(g, "general.architecture", &arch, err);
    if (st)
        return st;
    if (arch.n == 5 && !memcmp(arch.p, "llama", 5))
        return SVLM_OK;
    if (arch.n == 4 && !memcmp(arch.p, "clip", 4))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: this is an mmproj (vision) file, not a language model", path_of(g));
    int shown = arch.n < 64 ? (int)arch.n : 64;
    return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                   "%s: architecture '%.*s' is not supported, only llama", path_of(g), shown,
                   arch.p);
}

/* An integer in [1, max] that a file may also give once per layer; layers that
 * differ are refused. *out keeps its value when the key is missing; 0: it must
 * be there. */
static svlm_status per_layer(const sv_gguf *g, const char *key, int n_layers, int max, int *out,
                             svlm_error *err)
{
    uint32_t v = (uint32_t)*out;
    sv_gguf_array a = { 0 };
    if (sv_gguf_has(g, key) && sv_gguf_opt_array(g, key, &a, NULL) == SVLM_OK) {
        if (a.n != (uint64_t)n_layers)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s has %" PRIu64 " values for %d layers",
                           path_of(g), key, a.n, n_layers);
        for (uint64_t i = 1; i < a.n; i++)
            if (sv_gguf_number(&a, i) != sv_gguf_number(&a, 0))
                return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                               "%s: %s differs between layers, which is not supported",
                               path_of(g), key);
        double first = sv_gguf_number(&a, 0);
        v = first >= 1 && first <= max ? (uint32_t)first : 0;
    } else {
        svlm_status st = *out ? sv_gguf_opt_u32(g, key, &v, err)
                              : sv_gguf_get_u32(g, key, &v, err);
        if (st)
            return st;
    }
    if (v < 1 || v > (uint32_t)max)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s is %" PRIu32 ", must be 1 to %d", path_of(g),
                       key, v, max);
    *out = (int)v;
    return SVLM_OK;
}

/* A required integer in [1, max]. */
static svlm_status required(const sv_gguf *g, const char *key, int max, int *out, svlm_error *err)
{
    uint32_t v = 0;
    svlm_status st = sv_gguf_get_u32(g, key, &v, err);
    if (st)
        return st;
    if (v < 1 || v > (uint32_t)max)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s is %" PRIu32 ", must be 1 to %d", path_of(g),
                       key, v, max);
    *out = (int)v;
    return SVLM_OK;
}

static svlm_status positive(const sv_gguf *g, const char *key, float v, svlm_error *err)
{
    if (!(v > 0) || !isfinite(v))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s is %g, must be a positive number",
                       path_of(g), key, (double)v);
    return SVLM_OK;
}

static svlm_status read_heads(sv_llm *m, const sv_gguf *g, svlm_error *err)
{
    svlm_status st;
    m->n_heads = 0;
    if ((st = per_layer(g, "llama.attention.head_count", m->n_layers, MAX_HEADS, &m->n_heads,
                        err)))
        return st;
    m->n_kv_heads = m->n_heads;
    if ((st = per_layer(g, "llama.attention.head_count_kv", m->n_layers, MAX_HEADS,
                        &m->n_kv_heads, err)))
        return st;
    if (m->n_heads % m->n_kv_heads)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: %d key heads (llama.attention.head_count_kv) do not divide %d heads",
                       path_of(g), m->n_kv_heads, m->n_heads);
    if (!sv_gguf_has(g, "llama.attention.key_length") && m->n_embd % m->n_heads)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: llama.attention.head_count %d does not divide the width %d",
                       path_of(g), m->n_heads, m->n_embd);
    uint32_t key = (uint32_t)(m->n_embd / m->n_heads), value, rope;
    if ((st = sv_gguf_opt_u32(g, "llama.attention.key_length", &key, err)))
        return st;
    value = rope = key;
    if ((st = sv_gguf_opt_u32(g, "llama.attention.value_length", &value, err)) ||
        (st = sv_gguf_opt_u32(g, "llama.rope.dimension_count", &rope, err)))
        return st;
    if (key < 2 || key % 2 || key > MAX_WIDTH / (uint32_t)m->n_heads)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: a head is %" PRIu32 " wide, must be even",
                       path_of(g), key);
    if (value != key || rope != key)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: heads of %" PRIu32 " (keys), %" PRIu32 " (values) and %" PRIu32
                       " (llama.rope.dimension_count): only equal ones are supported",
                       path_of(g), key, value, rope);
    m->head_dim = (int)key;
    return SVLM_OK;
}

/* Linear scaling divides positions by a factor; other kinds need code we do not have. */
static svlm_status read_rope(sv_llm *m, const sv_gguf *g, svlm_error *err)
{
    svlm_status st;
    sv_span type = { "linear", 6 };
    m->rope_base = 10000.0f;
    m->rope_scale = 1.0f;
    if ((st = sv_gguf_opt_f32(g, "llama.rope.freq_base", &m->rope_base, err)) ||
        (st = positive(g, "llama.rope.freq_base", m->rope_base, err)) ||
        (st = sv_gguf_opt_str(g, "llama.rope.scaling.type", &type, err)))
        return st;
    if (type.n == 4 && !memcmp(type.p, "none", 4))
        return SVLM_OK;
    if (type.n != 6 || memcmp(type.p, "linear", 6))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: llama.rope.scaling.type '%.*s' is not supported, only linear",
                       path_of(g), type.n < 64 ? (int)type.n : 64, type.p);
    const char *key = sv_gguf_has(g, "llama.rope.scaling.factor") ? "llama.rope.scaling.factor"
                                                                  : "llama.rope.scale_linear";
    if ((st = sv_gguf_opt_f32(g, key, &m->rope_scale, err)))
        return st;
    if (m->rope_scale == 0)       /* old converters wrote 0 for "no scaling" */
        m->rope_scale = 1.0f;
    return positive(g, key, m->rope_scale, err);
}

static svlm_status read_hparams(sv_llm *m, const sv_gguf *g, svlm_error *err)
{
    svlm_status st;
    uint32_t n_experts = 0;
    if ((st = required(g, "llama.block_count", MAX_LAYERS, &m->n_layers, err)) ||
        (st = required(g, "llama.embedding_length", MAX_WIDTH, &m->n_embd, err)) ||
        (st = required(g, "llama.context_length", MAX_CONTEXT, &m->n_ctx, err)) ||
        (st = read_heads(m, g, err)) ||
        (st = per_layer(g, "llama.feed_forward_length", m->n_layers, MAX_WIDTH, &m->n_ff, err)) ||
        (st = sv_gguf_get_f32(g, "llama.attention.layer_norm_rms_epsilon", &m->norm_eps, err)) ||
        (st = positive(g, "llama.attention.layer_norm_rms_epsilon", m->norm_eps, err)) ||
        (st = read_rope(m, g, err)) ||
        (st = sv_gguf_opt_u32(g, "llama.expert_count", &n_experts, err)))
        return st;
    if (n_experts)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: a mixture of %" PRIu32 " experts is not supported", path_of(g),
                       n_experts);
    return SVLM_OK;
}

/* ---- tensors --------------------------------------------------------------- */

/* "blk.3.attn_q.weight"; layer -1: no prefix. */
static const sv_gguf_tensor *find(const binder *b, int layer, const char *name, const char *suffix)
{
    return layer < 0 ? sv_gguf_findf(b->g, "%s.%s", name, suffix)
                     : sv_gguf_findf(b->g, "blk.%d.%s.%s", layer, name, suffix);
}

static svlm_status missing(const binder *b, int layer, const char *name)
{
    if (layer < 0)
        return sv_fail(b->err, SVLM_ERR_FORMAT, "%s: tensor %s.weight is missing",
                       path_of(b->g), name);
    return sv_fail(b->err, SVLM_ERR_FORMAT, "%s: tensor blk.%d.%s.weight is missing",
                   path_of(b->g), layer, name);
}

static svlm_status view(binder *b, sv_weight *w, const sv_gguf_tensor *t, int n_in, int n_out)
{
    if (t->dim[0] != (uint64_t)n_in || t->dim[1] != (uint64_t)n_out || t->dim[2] != 1 ||
        t->dim[3] != 1)
        return sv_fail(b->err, SVLM_ERR_FORMAT,
                       "%s: %s is %" PRIu64 " x %" PRIu64 ", the model needs %d x %d",
                       path_of(b->g), t->name, t->dim[0], t->dim[1], n_in, n_out);
    if (!sv_type_get(t->type))
        return sv_fail(b->err, SVLM_ERR_UNSUPPORTED, "%s: %s: %s", path_of(b->g), t->name,
                       sv_type_refusal(t->type));
    b->n_bound++;
    *w = (sv_weight){ .data = t->data, .type = t->type, .n_in = n_in, .n_out = n_out,
                      .row_bytes = sv_type_bytes(t->type, (size_t)n_in) };
    return SVLM_OK;
}

static svlm_status matrix(binder *b, sv_weight *w, int layer, const char *name, int n_in,
                          int n_out)
{
    const sv_gguf_tensor *t = find(b, layer, name, "weight");
    return t ? view(b, w, t, n_in, n_out) : missing(b, layer, name);
}

/* A float copy of n values of any float type. */
static svlm_status copy(binder *b, float **out, const sv_gguf_tensor *t, int n)
{
    sv_weight w;
    svlm_status st = view(b, &w, t, n, 1);
    if (st)
        return st;
    if (t->type != SV_F32 && t->type != SV_F16 && t->type != SV_BF16)
        return sv_fail(b->err, SVLM_ERR_FORMAT, "%s: %s is %s, must be F32, F16 or BF16",
                       path_of(b->g), t->name, sv_type_get(t->type)->name);
    *out = sv_take(&b->arena, (size_t)n, sizeof(float));
    if (*out)
        sv_weight_row(b->k, *out, &w, 0);
    return SVLM_OK;
}

static svlm_status norm(binder *b, float **out, int layer, const char *name)
{
    const sv_gguf_tensor *t = find(b, layer, name, "weight");
    return t ? copy(b, out, t, b->m->n_embd) : missing(b, layer, name);
}

static svlm_status bias(binder *b, float **out, int layer, const char *name, int n)
{
    const sv_gguf_tensor *t = find(b, layer, name, "bias");
    return t ? copy(b, out, t, n) : SVLM_OK;
}

static sv_weight rows_of(const sv_weight *w, int first, int n)
{
    sv_weight part = *w;
    part.data += (size_t)first * w->row_bytes;
    part.n_out = n;
    return part;
}

/* New files may hold Q, K and V in one matrix, one after the other. */
static svlm_status bind_fused(binder *b, sv_layer *l, int layer, const sv_gguf_tensor *t,
                              int n_q, int n_kv)
{
    sv_weight all;
    float *bias_all = NULL;
    svlm_status st;
    if ((st = view(b, &all, t, b->m->n_embd, n_q + 2 * n_kv)) ||
        (st = bias(b, &bias_all, layer, "attn_qkv", n_q + 2 * n_kv)))
        return st;
    l->wq = rows_of(&all, 0, n_q);
    l->wk = rows_of(&all, n_q, n_kv);
    l->wv = rows_of(&all, n_q + n_kv, n_kv);
    if (bias_all) {
        l->bq = bias_all;
        l->bk = bias_all + n_q;
        l->bv = bias_all + n_q + n_kv;
    }
    return SVLM_OK;
}

static svlm_status bind_qkv(binder *b, sv_layer *l, int i)
{
    const sv_llm *m = b->m;
    int n_q = m->n_heads * m->head_dim, n_kv = m->n_kv_heads * m->head_dim;
    const sv_gguf_tensor *fused = find(b, i, "attn_qkv", "weight");
    if (fused)
        return bind_fused(b, l, i, fused, n_q, n_kv);
    svlm_status st;
    if ((st = matrix(b, &l->wq, i, "attn_q", m->n_embd, n_q)) ||
        (st = matrix(b, &l->wk, i, "attn_k", m->n_embd, n_kv)) ||
        (st = matrix(b, &l->wv, i, "attn_v", m->n_embd, n_kv)) ||
        (st = bias(b, &l->bq, i, "attn_q", n_q)) ||
        (st = bias(b, &l->bk, i, "attn_k", n_kv)))
        return st;
    return bias(b, &l->bv, i, "attn_v", n_kv);
}

static svlm_status bind_layer(binder *b, sv_layer *l, int i)
{
    const sv_llm *m = b->m;
    svlm_status st;
    if ((st = norm(b, &l->attn_norm, i, "attn_norm")) ||
        (st = norm(b, &l->ffn_norm, i, "ffn_norm")) ||
        (st = bind_qkv(b, l, i)) ||
        (st = matrix(b, &l->wo, i, "attn_output", m->n_heads * m->head_dim, m->n_embd)) ||
        (st = bias(b, &l->bo, i, "attn_output", m->n_embd)) ||
        (st = matrix(b, &l->gate, i, "ffn_gate", m->n_embd, m->n_ff)) ||
        (st = matrix(b, &l->up, i, "ffn_up", m->n_embd, m->n_ff)))
        return st;
    return matrix(b, &l->down, i, "ffn_down", m->n_ff, m->n_embd);
}

/* Token count: the embedding rows, which the vocabulary has to agree with. */
static svlm_status read_vocab_size(binder *b)
{
    const sv_gguf_tensor *t = find(b, -1, "token_embd", "weight");
    sv_gguf_array tokens = { 0 };
    svlm_status st;
    if (!t)
        return missing(b, -1, "token_embd");
    if ((st = sv_gguf_opt_array(b->g, "tokenizer.ggml.tokens", &tokens, b->err)))
        return st;
    if (t->dim[1] < 1 || t->dim[1] > MAX_CONTEXT || (tokens.n && tokens.n != t->dim[1]))
        return sv_fail(b->err, SVLM_ERR_FORMAT,
                       "%s: token_embd.weight has %" PRIu64 " rows, the vocabulary %" PRIu64
                       " tokens", path_of(b->g), t->dim[1], tokens.n);
    b->m->n_vocab = (int)t->dim[1];
    return SVLM_OK;
}

static svlm_status bind(binder *b)
{
    sv_llm *m = b->m;
    svlm_status st;
    b->n_bound = 0;
    m->layers = sv_take(&b->arena, (size_t)m->n_layers, sizeof *m->layers);
    if ((st = matrix(b, &m->token_embd, -1, "token_embd", m->n_embd, m->n_vocab)) ||
        (st = norm(b, &m->output_norm, -1, "output_norm")))
        return st;
    const sv_gguf_tensor *out = find(b, -1, "output", "weight");
    m->output = m->token_embd;                     /* tied unless the file has its own */
    if (out && (st = view(b, &m->output, out, m->n_embd, m->n_vocab)))
        return st;
    const sv_gguf_tensor *freqs = find(b, -1, "rope_freqs", "weight");
    if (freqs && (st = copy(b, &m->rope_freqs, freqs, m->head_dim / 2)))
        return st;
    for (int i = 0; i < m->n_layers; i++) {
        sv_layer measured = { 0 };
        if ((st = bind_layer(b, m->layers ? &m->layers[i] : &measured, i)))
            return st;
    }
    return SVLM_OK;
}

svlm_status sv_llm_load(sv_llm *m, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    static atomic_uint_least64_t n_loaded;
    binder b = { .m = m, .g = g, .k = sv_kernels_get(), .err = err };
    svlm_status st;
    memset(m, 0, sizeof *m);
    if ((st = check_architecture(g, err)) || (st = read_hparams(m, g, err)) ||
        (st = read_vocab_size(&b)) || (st = bind(&b)))
        goto fail;
    m->owned = sv_calloc(SV_MEM_MODEL, b.arena.used, 1);
    if (b.arena.overflow || !m->owned) {
        st = sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for %zu bytes of norms", path_of(g),
                     b.arena.used);
        goto fail;
    }
    b.arena = (sv_arena){ .base = m->owned, .size = b.arena.used };
    if ((st = bind(&b)))
        goto fail;
    if (b.n_bound < g->n_tensors)
        sv_logf(log, SVLM_LOG_WARNING, "%s: %zu tensors are not part of a llama model, ignored",
                path_of(g), g->n_tensors - b.n_bound);
    m->id = atomic_fetch_add(&n_loaded, 1) + 1;
    return SVLM_OK;
fail:
    sv_llm_free(m);
    return st;
}

void sv_llm_free(sv_llm *m)
{
    sv_free(m->owned);
    memset(m, 0, sizeof *m);
}
