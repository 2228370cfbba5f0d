/* SPDX-License-Identifier: MIT */
/* One conversation: ragged cache, scratch memory, sampler, hook. One thread at
 * a time (a second one gets SVLM_ERR_BUSY); any number of chats on one model. */
#ifndef SPARSEVLM_CHAT_H
#define SPARSEVLM_CHAT_H

#include <sparsevlm/hook.h>
#include <sparsevlm/model.h>
#include <sparsevlm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct svlm_chat svlm_chat;

enum { SVLM_DEFAULT_CTX = 4096 };

typedef struct svlm_chat_options {
    size_t size;
    int n_ctx;                    /* rows, prompt and answers of all turns together;
                                     0: the model's, at most SVLM_DEFAULT_CTX       */
    const svlm_hook *hook;        /* copied; the chat owns hook->user from success on;
                                     NULL: no pruning                               */
    const char *template_name;    /* NULL: what the file asks for                   */
    const char *system;           /* NULL: the template's own; "": none             */
    int kv_f32;                   /* 1: keys and values as float32 instead of F16    */
    int reprune;                  /* 1: each turn evaluates the whole conversation anew, so
                                     pruning follows the newest question            */
    size_t reuse_bytes;           /* of question-independent state kept with each picture;
                                     0: 256 MiB, SIZE_MAX: unlimited, 1: none        */
    int n_threads;                /* 0: as the model                                */

    float temperature;            /* 0: greedy; applied to what the next three pass */
    int top_k;                    /* 0: off; first, then top_p, then min_p          */
    float top_p, min_p;           /* 0: off                                         */
    float repeat_penalty;         /* 0 or 1: off; over the last 64 tokens           */
    uint64_t seed;                /* the same seed gives the same text              */
    int max_tokens;               /* of one answer; 0: what the context has room for */

    svlm_progress_fn progress;
    void *user;
} svlm_chat_options;

/* Bytes that svlm_chat_new would take, known before anything is allocated
 * (the mapped weights are not included: svlm_model_info.n_file_bytes). */
SVLM_API svlm_status svlm_chat_cost(const svlm_model *model, const svlm_chat_options *opt,
                                    uint64_t *n_bytes, svlm_error *err);
SVLM_API svlm_status svlm_chat_new(svlm_chat **out, svlm_model *model,
                                   const svlm_chat_options *opt, svlm_error *err);
SVLM_API void svlm_chat_free(svlm_chat *chat);          /* NULL is fine */

/* The user's next turn, in the order it is to be read. Features are referenced,
 * text is copied and never read as special tokens. */
SVLM_API svlm_status svlm_chat_add_features(svlm_chat *chat, svlm_features *features,
                                            svlm_error *err);
SVLM_API svlm_status svlm_chat_add_text(svlm_chat *chat, const char *text, svlm_error *err);
/* Token ids as they are; a turn made with this has no template around it. */
SVLM_API svlm_status svlm_chat_add_tokens(svlm_chat *chat, const int32_t *ids, size_t n,
                                          svlm_error *err);

/* Evaluates the turn; pruning happens here. Afterwards svlm_chat_next yields the
 * answer. Asking before the last answer ended breaks that answer off. On an
 * error the conversation is as it was before the turn's parts were added. */
SVLM_API svlm_status svlm_chat_ask(svlm_chat *chat, svlm_error *err);

/* The next piece of the answer: whole UTF-8 characters, valid until the next
 * call on this chat, never empty. SVLM_END when the answer is complete. */
SVLM_API svlm_status svlm_chat_next(svlm_chat *chat, const char **piece, size_t *n_bytes,
                                    svlm_error *err);

/* Forgets the conversation, keeps the memory. */
SVLM_API svlm_status svlm_chat_reset(svlm_chat *chat, svlm_error *err);

/* After ask or next: the token last produced (-1: none), and the logits of what
 * follows it, [n_vocab], valid until the next call. They are computed when first
 * needed, here or by next; NULL: nothing was asked, busy, or it failed. */
SVLM_API int32_t svlm_chat_last_token(const svlm_chat *chat);
SVLM_API const float *svlm_chat_logits(svlm_chat *chat, int *n_vocab);

/* Where visual rows come from: one grid of one picture. */
typedef struct svlm_visual_span {
    int image;                    /* picture of the last turn, in order; each frame is one */
    int tile;                     /* its grid, as in svlm_cell; -1: rows merged from it  */
    int n_rows;                   /* rows it came with; of merged rows 0                 */
    const int32_t *rows_in;       /* [n_layers + 1] its rows entering each layer; the last:
                                     those leaving the last layer                        */
} svlm_visual_span;

typedef struct svlm_chat_stats {
    size_t size;
    int n_layers;
    int n_prompt;                 /* rows of the last turn as entered                  */
    int n_visual;                 /* visual rows among them                            */
    int n_reused;                 /* rows whose first layers were reused               */
    int n_generated;
    const int32_t *visual_in;     /* [n_layers] visual rows entering each layer        */
    const int32_t *rows_in;       /* [n_layers] all rows of the turn entering each layer */
    const int32_t *cached;        /* [n_layers] rows in each layer's cache now          */
    double visual_average;        /* mean of visual_in: what is really computed        */
    double visual_average_after;  /* the published accounting: counts after each layer  */
    double macs, macs_unpruned;   /* of the language model's prefill                   */
    uint64_t kv_bytes, kv_bytes_unpruned;
    uint64_t reuse_bytes;         /* kept with the pictures of this chat               */
    double prefill_seconds, hook_seconds, decode_seconds;
    int n_spans;
    const svlm_visual_span *spans;        /* [n_spans] by picture, tile 0 first, merged last:
                                     how a budget was shared out. Sums are visual_in */
} svlm_chat_stats;

/* Pointers stay valid until the next ask or reset. */
SVLM_API svlm_status svlm_chat_get_stats(const svlm_chat *chat, svlm_chat_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
