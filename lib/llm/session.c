/* SPDX-License-Identifier: MIT */
/* A conversation's memory: cache, rows and scratch in one block, laid out by one
 * function that runs twice. Pages cost memory only once they are touched. */
#include "llm/session.h"


#include "base/alloc.h"
#include "tensor/rope.h"
#include <sparsevlm/prune.h>

enum {
    CHUNK = 512,                  /* rows at a time: enough to pay for unpacking weights */
    MAX_CTX = 1 << 24
};

static int max_of(int a, int b)
{
    return a > b ? a : b;
}

static void layout_rows(sv_rows *r, sv_arena *a, size_t n_ctx, size_t n_embd)
{
    r->hidden = sv_take(a, n_ctx, n_embd * sizeof(float));
    r->kind = sv_take(a, n_ctx, 1);
    r->question = sv_take(a, n_ctx, 1);
    r->image = sv_take(a, n_ctx, sizeof(int32_t));
    r->origin = sv_take(a, n_ctx, sizeof(int32_t));
    r->token = sv_take(a, n_ctx, sizeof(int32_t));
    r->place = sv_take(a, n_ctx, sizeof(int32_t));
    r->position = sv_take(a, n_ctx, sizeof(int32_t));
}

/* Queries, keys and values are dead when gate and up are born. */
static void layout_chunk(sv_session *s, sv_arena *a)
{
    const sv_llm *m = s->m;
    size_t n = (size_t)s->chunk, n_q = (size_t)m->n_heads * (size_t)m->head_dim;
    size_t n_kv = (size_t)m->n_kv_heads * (size_t)m->head_dim;
    s->x = sv_take(a, n, (size_t)m->n_embd * sizeof(float));
    s->xn = sv_take(a, n, (size_t)m->n_embd * sizeof(float));
    s->position = sv_take(a, n, sizeof(int32_t));
    s->limit = sv_take(a, n, sizeof(int32_t));
    s->cos = sv_take(a, n, (size_t)m->head_dim / 2 * sizeof(float));
    s->sin = sv_take(a, n, (size_t)m->head_dim / 2 * sizeof(float));
    s->frequency = sv_take(a, (size_t)m->head_dim / 2, sizeof(float));
    size_t shared = a->used;
    s->q = sv_take(a, n, n_q * sizeof(float));
    s->key = sv_take(a, n, n_kv * sizeof(float));
    s->value = sv_take(a, n, n_kv * sizeof(float));
    size_t end = a->used;
    a->used = shared;
    s->gate = sv_take(a, n, (size_t)m->n_ff * sizeof(float));
    s->up = sv_take(a, n, (size_t)m->n_ff * sizeof(float));
    if (a->used < end)
        a->used = end;
}

static void layout(sv_session *s, sv_arena *a)
{
    const sv_llm *m = s->m;
    size_t n_ctx = (size_t)s->o.n_ctx, n_layers = (size_t)m->n_layers;
    int n_q = m->n_heads * m->head_dim;
    int widest = max_of(max_of(m->n_embd, n_q), m->n_ff);
    s->next_position = sv_take(a, n_layers, sizeof(int32_t));
    s->past = sv_take(a, n_layers, sizeof(int32_t));
    s->past_position = sv_take(a, n_layers, sizeof(int32_t));
    s->visual_in = sv_take(a, n_layers, sizeof(int32_t));
    s->rows_in = sv_take(a, n_layers, sizeof(int32_t));
    s->logits = sv_take(a, (size_t)m->n_vocab, sizeof(float));
    layout_rows(&s->rows, a, n_ctx, (size_t)m->n_embd);
    s->before = sv_take(a, n_ctx, (size_t)m->n_embd * sizeof(float));
    s->all = sv_take(a, n_ctx, sizeof(int32_t));
    s->live = sv_take(a, n_ctx, sizeof(int32_t));
    s->query = sv_take(a, n_ctx, sizeof(int32_t));
    s->unused = sv_take(a, n_ctx, 1);
    layout_chunk(s, a);
    sv_mm_layout(&s->mm, a, s->k, s->o.n_threads, s->o.precise, s->chunk, widest,
                 max_of(widest, m->n_vocab));
    sv_attention_layout(&s->attention, a, s->k, s->o.n_threads, m->head_dim, s->o.n_ctx);
    s->kv = (sv_kv){ .n_layers = m->n_layers, .n_ctx = s->o.n_ctx, .f16 = !s->o.kv_f32,
                     .n_kv_heads = m->n_kv_heads, .head_dim = m->head_dim };
    sv_kv_layout(&s->kv, a);
}

/* Sets what layout reads, and measures. */
static svlm_status prepare(sv_session *s, const sv_llm *m, const sv_kernels *k,
                           const sv_session_options *o, size_t *n_bytes, svlm_error *err)
{
    if (o->n_ctx < 1 || o->n_ctx > MAX_CTX)
        return sv_fail(err, SVLM_ERR_ARG, "a context of %d rows: must be 1 to %d", o->n_ctx,
                       (int)MAX_CTX);
    s->m = m;
    s->k = k;
    s->o = *o;
    s->chunk = o->n_ctx < CHUNK ? o->n_ctx : CHUNK;
    sv_arena a = { 0 };
    layout(s, &a);
    if (a.overflow)
        return sv_fail(err, SVLM_ERR_LIMIT, "a context of %d rows does not fit this machine's"
                       " addresses", o->n_ctx);
    *n_bytes = a.used;
    return SVLM_OK;
}

svlm_status sv_session_cost(const sv_llm *m, const sv_session_options *o, uint64_t *n_bytes,
                            svlm_error *err)
{
    sv_session s = { 0 };
    size_t n = 0;
    svlm_status st = prepare(&s, m, sv_kernels_get(), o, &n, err);
    if (!st)
        *n_bytes = (uint64_t)n + sizeof s;
    return st;
}

svlm_status sv_session_new(sv_session **out, const sv_llm *m, const sv_kernels *k,
                           const sv_session_options *o, svlm_error *err)
{
    svlm_status st;
    size_t n_bytes = 0;
    *out = NULL;
    sv_session *s = sv_calloc(SV_MEM_CHAT, 1, sizeof *s);
    if (!s)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a conversation");
    if ((st = prepare(s, m, k, o, &n_bytes, err)))
        goto fail;
    s->block = sv_block_new(SV_MEM_CHAT, n_bytes, 0);
    if (!s->block) {
        st = sv_fail(err, SVLM_ERR_NOMEM, "no memory for a context of %d rows: %zu bytes needed",
                     o->n_ctx, n_bytes);
        goto fail;
    }
    s->n_bytes = n_bytes;
    layout(s, &(sv_arena){ .base = s->block, .size = n_bytes });
    for (int i = 0; i < o->n_ctx; i++)
        s->all[i] = i;
    sv_rope_frequencies(s->frequency, m->head_dim, m->rope_base, m->rope_freqs);
    *out = s;
    return SVLM_OK;
fail:
    sv_session_free(s);
    return st;
}

void sv_session_free(sv_session *s)
{
    if (!s)
        return;
    sv_spans_free(s);
    sv_block_free(s->block, s->n_bytes);
    sv_free(s);
}

void sv_session_reset(sv_session *s)
{
    for (int l = 0; l < s->m->n_layers; l++)
        s->kv.len[l] = s->next_position[l] = s->visual_in[l] = s->rows_in[l] = 0;
    s->n_prompt = s->n_visual = s->n_reused = s->n_reused_layers = s->visual_out = 0;
    s->n_total = 0;
    sv_spans_free(s);
    s->reuse_bytes = 0;
    s->prefill_seconds = s->hook_seconds = 0;
}

const float *sv_session_logits(const sv_session *s)
{
    return s->logits;
}

int sv_session_rows(const sv_session *s)
{
    int most = 0;
    for (int l = 0; l < s->m->n_layers; l++)
        most = max_of(most, s->kv.len[l]);
    return most;
}

int sv_session_room(const sv_session *s)
{
    return s->o.n_ctx - sv_session_rows(s);
}

void sv_session_trace(sv_session *s, sv_trace_fn fn, void *user)
{
    s->trace = fn;
    s->trace_user = user;
}

/* Of one layer over some rows of a turn. */
static double macs(const sv_session *s, int n_rows)
{
    return svlm_layer_macs(n_rows, s->m->n_embd, s->m->n_ff,
                           (double)s->m->n_kv_heads / s->m->n_heads);
}

void sv_session_stats(const sv_session *s, svlm_chat_stats *stats)
{
    int n_layers = s->m->n_layers;
    double in = 0, cached = 0;
    stats->macs = 0;
    for (int l = 0; l < n_layers; l++) {
        in += s->visual_in[l];
        cached += s->kv.len[l];
        stats->macs += macs(s, s->rows_in[l]) - macs(s, l < s->n_reused_layers ? s->n_reused : 0);
    }
    stats->macs_unpruned = n_layers * macs(s, s->n_prompt);
    /* What leaves a layer enters the next one; the last one's is apart. */
    double after = in - s->visual_in[0] + s->visual_out;
    stats->n_layers = n_layers;
    stats->n_prompt = s->n_prompt;
    stats->n_visual = s->n_visual;
    stats->n_reused = s->n_reused;
    stats->visual_in = s->visual_in;
    stats->rows_in = s->rows_in;
    stats->cached = s->kv.len;
    stats->visual_average = in / n_layers;
    stats->visual_average_after = after / n_layers;
    size_t row = sv_kv_row_bytes(&s->kv);
    stats->kv_bytes = (uint64_t)cached * row;
    stats->kv_bytes_unpruned = (uint64_t)s->n_total * (uint64_t)n_layers * row;
    stats->reuse_bytes = s->reuse_bytes;
    stats->prefill_seconds = s->prefill_seconds;
    stats->hook_seconds = s->hook_seconds;
    stats->n_spans = s->n_spans;
    stats->spans = s->spans;
}
