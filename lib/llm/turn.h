/* SPDX-License-Identifier: MIT */
/* One prefill while it lasts: what was asked, and what its hook said. */
#ifndef SV_TURN_H
#define SV_TURN_H

#include "llm/session.h"
#include "vision/vision.h"

typedef struct sv_turn {
    const sv_prompt *prompt;
    svlm_features *const *images;
    int n_images;
    const svlm_hook *hook;        /* NULL: none */
    int first_layer;              /* before it no row knows the text after the pictures */
    int n_prefix;                 /* rows up to the last picture's last, 0: none  */
    int room;                     /* rows the turn may have in any layer          */
    const svlm_cell **cells;      /* [n_images] */
    int32_t *image_rows;          /* [n_images] */
    /* the plan for the layer at hand */
    int want_input;
    int n_query;
    float *attention;             /* [n_heads][n_query][n_rows], then the queries */
    size_t n_attention;           /* floats there are */
} sv_turn;

/* ---- prompt_rows.c -------------------------------------------------------- */

/* Lays the prompt out in s->rows: embeddings of tokens, rows of pictures, the latter
 * reduced by the hook if it wants to. */
svlm_status sv_prompt_rows(sv_session *s, sv_turn *t, svlm_error *err);

/* ---- spans.c -------------------------------------------------------------- */

/* Lists the turn's visual spans, once t->cells and t->image_rows are known. */
svlm_status sv_spans_start(sv_session *s, const sv_turn *t, svlm_error *err);
/* Counts the rows that enter a layer, by span; their sum. */
int sv_spans_count(sv_session *s, const sv_turn *t, int layer);

/* ---- hook_run.c ----------------------------------------------------------- */

/* Each calls the hook's function of that name, if there is one, and checks what it
 * returned. Failures are SVLM_ERR_HOOK. */
svlm_status sv_hook_reduce(sv_session *s, sv_turn *t, const svlm_reduce_view *view,
                           svlm_reduction *r, svlm_error *err);
svlm_status sv_hook_begin(sv_session *s, sv_turn *t, svlm_error *err);
/* *edit: the layer is one where rows may leave. */
svlm_status sv_hook_plan(sv_session *s, sv_turn *t, int layer, int *edit, svlm_error *err);
/* Computes the probabilities the plan asked for, which needs the layer's keys. s->live
 * are then the *n_live rows that go on through the layer. */
svlm_status sv_hook_drop(sv_session *s, sv_turn *t, int layer, int *n_live, svlm_error *err);
/* s->rows are then the rows that enter the next layer. */
svlm_status sv_hook_edit(sv_session *s, sv_turn *t, int layer, svlm_error *err);
void sv_hook_end(sv_turn *t);

#endif
