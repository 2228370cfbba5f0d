/* SPDX-License-Identifier: MIT */
/* The layer hook: how a pruner, ours or anyone's, takes visual rows out of the
 * language model while the prompt is evaluated. Our own pruners use nothing
 * but this header.
 *
 * During prefill, on the caller's thread, in this order:
 *
 *     reduce   per picture, before the prompt is laid out       (optional)
 *     begin    once, on the embeddings entering layer 0         (optional)
 *     plan     before each layer: whose attention is wanted?    (optional)
 *     drop     after that layer's attention probabilities, only if plan named
 *              rows: which rows' output will nobody read?       (optional)
 *     edit     after the layer, only if plan asked for it: which rows go on,
 *              which new ones join them                         (optional)
 *     end      once, when the prompt is done or has failed      (optional)
 *     destroy  when the hook's owner is released                (optional)
 *
 * Every callback returns SVLM_OK or a negative status, which ends the prefill
 * with SVLM_ERR_HOOK. Lists are checked; a bad one (unsorted, out of range, a
 * text row dropped) ends it too. Pointers a hook hands out must stay valid until
 * its next callback. Views are valid during the callback. Callbacks must not
 * call into the chat that runs them. */
#ifndef SPARSEVLM_HOOK_H
#define SPARSEVLM_HOOK_H

#include <sparsevlm/model.h>
#include <sparsevlm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum svlm_row_kind {
    SVLM_ROW_TEXT = 0,            /* a token; never pruned                        */
    SVLM_ROW_IMAGE,               /* a feature row of a picture                   */
    SVLM_ROW_SEPARATOR,           /* an image_newline row of LLaVA-1.6            */
    SVLM_ROW_MERGED               /* a row an earlier edit made; visual like the rest */
} svlm_row_kind;

/* The rows of this prefill at one point of the model. Rows of earlier turns are
 * only cached keys and values and do not appear. */
typedef struct svlm_view {
    size_t size;
    int layer;                    /* -1 in begin                                  */
    int n_layers, n_embd, n_heads, n_kv_heads, head_dim;
    float rope_base;              /* theta of the rotary embedding                */
    int n_rows;
    const uint8_t *kind;          /* [n_rows] svlm_row_kind                       */
    const int32_t *position;      /* [n_rows] rotary position in this layer       */
    const int32_t *image;         /* [n_rows] picture number in this prompt, -1: text */
    const int32_t *origin;        /* [n_rows] index among that picture's feature rows;
                                     -1: text or merged                           */
    const int32_t *token;         /* [n_rows] token id; -1: not text              */
    const uint8_t *question;      /* [n_rows] 1: the user's own words, 0: template */
    int n_images;
    const int32_t *image_rows;    /* [n_images] feature rows each picture came with */
    const svlm_cell *const *image_cells;  /* [n_images][image_rows[i]]            */
    const float *hidden;          /* [n_rows][n_embd]. begin: embeddings; plan, drop:
                                     the layer's input; edit: its output, undefined
                                     for rows named in drop                       */
    const float *hidden_before;   /* edit: the layer's input if plan asked
                                     (want_input), else NULL                      */
    int n_query;                  /* drop, edit: what plan asked for              */
    const int32_t *query;         /* [n_query] row indices                        */
    const float *attention;       /* [n_heads][n_query][n_rows] after the causal
                                     softmax (earlier turns' keys are in its
                                     denominator but have no column)              */
} svlm_view;

typedef struct svlm_plan {
    size_t size;
    int edit;                     /* 1: call edit (and drop) for this layer       */
    int n_query;
    const int32_t *query;         /* rows whose attention is wanted, ascending. Only
                                     these are computed, never n x n              */
    int want_input;               /* 1: edit also wants hidden_before             */
} svlm_plan;

typedef struct svlm_drop {
    size_t size;
    int n_unused;
    const int32_t *unused;        /* visual rows, ascending, which edit will neither
                                     keep nor look at: the engine then spares their
                                     query, attention, output and feed-forward work.
                                     Their keys and values stay in this layer     */
} svlm_drop;

typedef struct svlm_edit {
    size_t size;
    int n_keep;
    const int32_t *keep;          /* ascending, every text row included; NULL: all stay */
    int n_merged;
    const float *merged;          /* [n_merged][n_embd], rows to add: they follow the
                                     last kept row of their picture, in this order */
    const int32_t *merged_image;  /* [n_merged] whose; NULL: all of picture 0     */
    const int32_t *merged_position; /* [n_merged], read only if !renumber         */
    int renumber;                 /* 1: the rows that go on are numbered 0, 1, 2...
                                     after the rows of earlier turns (published v1);
                                     generated tokens continue each layer's own count.
                                     0: rows keep their positions (v2)            */
} svlm_edit;

/* Before the language model: one picture and the question about it. */
typedef struct svlm_reduce_view {
    size_t size;
    int image, n_images;
    int n_rows, n_embd;
    const float *rows;            /* [n_rows][n_embd] projector output            */
    const svlm_cell *cells;       /* [n_rows]                                     */
    const float *class_attention; /* [n_rows] or NULL, see svlm_features          */
    const float *keys;            /* [n_rows][key_width] or NULL                  */
    int key_width;
    int n_text;                   /* rows after the last picture                  */
    const float *text;            /* [n_text][n_embd] their embeddings            */
    const uint8_t *question;      /* [n_text] 1: the user's own words             */
} svlm_reduce_view;

typedef struct svlm_reduction {
    size_t size;
    int n_keep;
    const int32_t *keep;          /* ascending; NULL: all stay                    */
    int n_merged;
    const float *merged;          /* [n_merged][n_embd], placed after the kept rows */
    int renumber;                 /* 1: consecutive positions; 0: kept rows have the
                                     position they would have had without reduction,
                                     merged rows merged_position + the picture's start */
    const int32_t *merged_position;
} svlm_reduction;

typedef struct svlm_hook {
    size_t size;
    void *user;
    int first_layer;              /* promise: plan and edit would do nothing before this
                                     layer (they are not called there)
                                     and reduce is NULL, so what the layers before
                                     it make of a picture may be kept and reused for
                                     another question. 0: no promise              */
    int needs_class_attention;    /* 1: pictures must be encoded with class_attention */
    svlm_status (*reduce)(void *user, const svlm_reduce_view *view, svlm_reduction *reduction);
    svlm_status (*begin)(void *user, const svlm_view *view);
    svlm_status (*plan)(void *user, const svlm_view *view, svlm_plan *plan);
    svlm_status (*drop)(void *user, const svlm_view *view, svlm_drop *drop);
    svlm_status (*edit)(void *user, const svlm_view *view, svlm_edit *edit);
    void (*end)(void *user);
    void (*destroy)(void *user);
    int (*first_layer_of)(void *user, int n_layers);  /* or NULL. Asked instead of
                                     first_layer, before a prefill, where the promise
                                     depends on the depth of the model           */
} svlm_hook;

#ifdef __cplusplus
}
#endif
#endif
