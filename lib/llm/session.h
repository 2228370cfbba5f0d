/* SPDX-License-Identifier: MIT */
/* One conversation's state, shared by the files of this folder. */
#ifndef SV_SESSION_H
#define SV_SESSION_H

#include "llm/kv_cache.h"
#include "llm/llm.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"

/* The rows of one turn, as a hook sees them (svlm_view). */
typedef struct sv_rows {
    int n;
    float *hidden;                /* [n_ctx][n_embd]                              */
    uint8_t *kind, *question;     /* [n_ctx] each                                 */
    int32_t *image, *origin, *token;
    int32_t *place;               /* position counted from the turn's first row   */
    int32_t *position;            /* the same in the layer at hand: plus what that layer
                                     has before the turn                          */
    int span;                     /* places the turn takes; the next token's place */
} sv_rows;

struct sv_session {
    const sv_llm *m;
    const sv_kernels *k;
    sv_session_options o;
    void *block;                  /* all memory below */
    size_t n_bytes;

    sv_kv kv;
    int32_t *next_position;       /* [n_layers] of the next row, which is not the cache's
                                     length where rows kept their positions       */
    int32_t *past;                /* [n_layers] kv.len before the turn            */
    int32_t *past_position;       /* [n_layers] next_position before the turn     */

    sv_rows rows;
    float *before;                /* [n_ctx][n_embd] a layer's input, if a hook wants it */
    int32_t *all;                 /* [n_ctx] 0, 1, 2...                           */
    int32_t *live;                /* [n_ctx] rows of a layer that go all the way  */
    int32_t *query;               /* [n_ctx] copy of a plan's                     */
    uint8_t *unused;              /* [n_ctx] 1: named in a hook's drop            */

    /* One chunk of rows on its way through a layer. Attention's share and the
     * feed-forward's are never alive together and lie on each other. */
    int chunk;                    /* rows at a time                               */
    float *x;                     /* [chunk][n_embd] hidden rows that do not lie together */
    float *xn;                    /* [chunk][n_embd] normed input, then a block's output */
    float *q;                     /* [chunk][n_heads * head_dim]                  */
    float *key, *value;           /* [chunk][n_kv_heads * head_dim]               */
    float *gate, *up;             /* [chunk][n_ff]                                */
    int32_t *position;            /* [chunk]                                      */
    int32_t *limit;               /* [chunk] keys each query sees                 */
    float *cos, *sin;             /* [chunk][head_dim / 2] of the positions       */
    float *frequency;             /* [head_dim / 2] rotary                        */
    sv_mm mm;
    sv_attention_scratch attention;

    float *logits;                /* [n_vocab]                                    */

    /* what sv_session_stats tells */
    int32_t *visual_in, *rows_in; /* [n_layers]                                   */
    svlm_visual_span *spans;      /* [n_spans], from spans.c                      */
    int32_t *span_in;             /* [n_spans][n_layers + 1]                      */
    int n_spans;
    int n_prompt, n_visual, visual_out;
    int n_reused, n_reused_layers;         /* rows that were not run through so many layers */
    int64_t n_total;              /* rows of all turns as entered, and tokens     */
    uint64_t reuse_bytes;
    double prefill_seconds, hook_seconds;

    sv_trace_fn trace;
    void *trace_user;
};

/* ---- llm_layer.c ---------------------------------------------------------- */

/* What a layer does with a row: leave its keys and values in the cache, and
 * compute its output, for which keys and values of all rows it sees are there. */
enum { SV_KEYS = 1, SV_OUTPUT = 2 };

/* Runs one layer for the rows index[n] of s->rows, ascending, whose hidden rows it
 * replaces if asked for their output. Row i of the turn is row past + i of the cache.
 * Rows that leave keys have to be neighbours. */
void sv_llm_layer(sv_session *s, int layer, const int32_t *index, int n, int parts);

/* Floats sv_llm_attention needs for n_query rows: its result and the queries. */
size_t sv_llm_attention_floats(const sv_session *s, int n_query);
/* The attention of some rows to the turn's, whose keys are there:
 * p[n_heads][n_query][n_rows]. */
void sv_llm_attention(sv_session *s, int layer, const int32_t *query, int n_query, float *p);

/* ---- spans.c -------------------------------------------------------------- */

void sv_spans_free(sv_session *s);

/* ---- logits.c ------------------------------------------------------------- */

/* From the turn's last hidden row. NUMERIC when one is not finite. */
svlm_status sv_logits(sv_session *s, svlm_error *err);
/* "non-finite logits": what every path says when it finds NaN or infinity. */
svlm_status sv_fail_numeric(int layer, svlm_error *err);

#endif
