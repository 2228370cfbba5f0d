/* SPDX-License-Identifier: MIT */
/* What svlm_chat holds: the turn being put together, what has been evaluated, and
 * the answer under way. */
#ifndef SV_CHAT_H
#define SV_CHAT_H

#include <stdatomic.h>

#include "api/model.h"

/* One thing the caller added: a picture, token ids, or a text. */
typedef struct sv_turn_part {
    svlm_features *features;      /* or NULL                  */
    int32_t *ids;                 /* [n] or NULL              */
    char *text;                   /* [n] if neither of those  */
    size_t n;
} sv_turn_part;

typedef struct sv_answer {
    int going;                    /* 0: complete, broken off, or none yet               */
    int32_t last;                 /* the token last produced, -1: none                  */
    int unread;                   /* 1: last has not been evaluated yet. It is only when
                                     something depends on it, so a word is shown as soon
                                     as it is known                                     */
    int32_t *ids;                 /* [n_ctx + 1] so far; reprune only, else NULL        */
    int n;
    sv_detok detok;
    char *piece;                  /* [piece_cap] handed to the caller                   */
    size_t piece_cap;
    double seconds;
} sv_answer;

struct svlm_chat {
    svlm_model *model;
    svlm_chat_options opt;
    svlm_hook hook;
    int has_hook;
    const sv_template *template;
    char *system;                 /* or NULL: the template's own */
    sv_session *session;
    sv_sampler *sampler;
    atomic_flag busy;

    sv_turn_part *parts;          /* the next turn */
    size_t n_parts, cap_parts;
    int n_turns;                  /* evaluated so far */

    /* What sv_prefill is given: one turn, or with reprune all turns and answers. */
    sv_prompt prompt;
    svlm_features **images;
    size_t n_images, cap_images;

    sv_answer answer;
};

/* Marks the chat as in use by this call, or BUSY. Every entry ends with leave. */
svlm_status sv_chat_enter(const svlm_chat *chat, const char *function, svlm_error *err);
void sv_chat_leave(const svlm_chat *chat);

/* turn.c */
void sv_chat_drop_turn(svlm_chat *chat);                /* forgets the parts added     */
void sv_chat_drop_prompt(svlm_chat *chat, size_t n_items, size_t n_images);
/* generate.c */
void sv_answer_start(svlm_chat *chat);
svlm_status sv_answer_read_last(svlm_chat *chat, svlm_error *err);

#endif
