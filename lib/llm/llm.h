/* SPDX-License-Identifier: MIT */
/* The decoder of architecture llama, with a ragged cache and a hook. */
#ifndef SV_LLM_H
#define SV_LLM_H

#include "base/log.h"
#include "gguf/gguf.h"
#include "tensor/matmul.h"
#include "text/text.h"
#include <sparsevlm/chat.h>
#include <sparsevlm/hook.h>

typedef struct sv_layer {
    float *attn_norm, *ffn_norm;  /* [n_embd]                                  */
    sv_weight wq, wk, wv, wo, gate, up, down;
    float *bq, *bk, *bv, *bo;     /* or NULL                                   */
} sv_layer;

typedef struct sv_llm {
    int n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, n_ctx;
    float norm_eps, rope_base, rope_scale;       /* positions are divided by rope_scale */
    float *rope_freqs;            /* [head_dim / 2] divisors, or NULL          */
    sv_weight token_embd, output; /* output may be a view of token_embd (tied) */
    float *output_norm;
    sv_layer *layers;
    void *owned;                  /* layers, and float copies of small tensors */
    uint64_t id;                  /* unlike any other model's of this process  */
} sv_llm;

svlm_status sv_llm_load(sv_llm *m, const sv_gguf *g, const sv_log *log, svlm_error *err);
void sv_llm_free(sv_llm *m);      /* all zero is fine */

/* ---- one conversation's state: cache and scratch in one block ------------- */

typedef struct sv_session_options {
    int n_ctx, kv_f32, n_threads, precise;
    size_t reuse_bytes;           /* 0: keep nothing with the pictures */
} sv_session_options;

typedef struct sv_session sv_session;

svlm_status sv_session_cost(const sv_llm *m, const sv_session_options *o, uint64_t *n_bytes,
                            svlm_error *err);
svlm_status sv_session_new(sv_session **out, const sv_llm *m, const sv_kernels *k,
                           const sv_session_options *o, svlm_error *err);
void sv_session_free(sv_session *s);
void sv_session_reset(sv_session *s);

/* Evaluates a turn: ids and pictures in prompt order (p->item[i].is_image takes the next of
 * images). The cache grows; logits of the last row are ready. After an error the
 * cache is as before. hook may be NULL. */
svlm_status sv_prefill(sv_session *s, const sv_prompt *p, svlm_features *const *images,
                       int n_images, const svlm_hook *hook, const sv_progress *progress,
                       svlm_error *err);
/* Evaluates one generated token. No allocation. */
svlm_status sv_decode(sv_session *s, int32_t token, svlm_error *err);

const float *sv_session_logits(const sv_session *s);           /* [n_vocab] */
/* Rows in the fullest layer's cache, and how many more tokens fit. */
int sv_session_rows(const sv_session *s);
int sv_session_room(const sv_session *s);
/* Fills what the engine knows (all but n_generated and decode_seconds). */
void sv_session_stats(const sv_session *s, svlm_chat_stats *stats);

/* For tests: called after every layer of a prefill (after the hook) and, with layer -1,
 * on the embeddings. */
typedef void (*sv_trace_fn)(void *user, int layer, const float *rows, int n_rows);
void sv_session_trace(sv_session *s, sv_trace_fn fn, void *user);

/* ---- sampling ------------------------------------------------------------- */

typedef struct sv_sampler_options {
    float temperature, top_p, min_p, repeat_penalty;
    int top_k;
    uint64_t seed;
} sv_sampler_options;

typedef struct sv_sampler sv_sampler;

/* NaN or negative values are ARG. Memory for n_vocab candidates is taken here, none later. */
svlm_status sv_sampler_new(sv_sampler **out, const sv_sampler_options *o, const sv_vocab *v,
                           svlm_error *err);
size_t sv_sampler_cost(const sv_vocab *v);        /* bytes of it */
void sv_sampler_free(sv_sampler *s);
void sv_sampler_accept(sv_sampler *s, int32_t token);          /* for the repeat penalty */
/* -1 when no logit is finite. Never gives an id that sv_vocab_may_sample refuses. */
int32_t sv_sampler_pick(sv_sampler *s, const float *logits);
void sv_sampler_reset(sv_sampler *s);

#endif
