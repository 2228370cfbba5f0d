/* SPDX-License-Identifier: MIT */
/* Text to token ids and back, and the templates around questions
 * (FORMATS.md, sections 5 and 12). */
#ifndef SV_TEXT_H
#define SV_TEXT_H

#include "base/log.h"
#include "gguf/gguf.h"

typedef enum sv_token_kind {
    SV_TOKEN_UNDEFINED, SV_TOKEN_NORMAL, SV_TOKEN_UNKNOWN, SV_TOKEN_CONTROL, SV_TOKEN_USER,
    SV_TOKEN_UNUSED, SV_TOKEN_BYTE
} sv_token_kind;

typedef struct sv_vocab sv_vocab;

svlm_status sv_vocab_load(sv_vocab **out, const sv_gguf *g, const sv_log *log, svlm_error *err);
void sv_vocab_free(sv_vocab *v);
int sv_vocab_size(const sv_vocab *v);
size_t sv_vocab_longest(const sv_vocab *v);     /* bytes: no token stands for more text */
int32_t sv_vocab_bos(const sv_vocab *v);        /* -1: none */
int32_t sv_vocab_eos(const sv_vocab *v);
int sv_vocab_add_bos(const sv_vocab *v);
int sv_vocab_is_end(const sv_vocab *v, int32_t id);        /* ends a turn                   */
int sv_vocab_may_sample(const sv_vocab *v, int32_t id);    /* not unused filler             */
sv_span sv_vocab_text(const sv_vocab *v, int32_t id);      /* as in the file                */
int32_t sv_vocab_find(const sv_vocab *v, const char *text, size_t n);      /* -1: none      */

/* A growing list of ids; start with all zero, free with sv_ids_free. */
typedef struct sv_ids { int32_t *id; size_t n, cap; } sv_ids;
svlm_status sv_ids_add(sv_ids *ids, int32_t id, svlm_error *err);
void sv_ids_free(sv_ids *ids);

/* Appends the ids of a text (any bytes, at most 32 MiB: LIMIT). special: cut out
 * control tokens first (templates only, never user text; of that, only words that
 * the file defines as tokens are cut out). No BOS is added. ids is as before after
 * a failure. */
svlm_status sv_tokenize(const sv_vocab *v, const char *text, size_t n, int special, sv_ids *ids,
                        svlm_error *err);

/* Ids back to text, piece by piece; never gives half a character. */
typedef struct sv_detok {
    const sv_vocab *v;
    uint8_t held[8];              /* beginning of a character     */
    int n_held;
    int at_start;                 /* drop one leading space       */
} sv_detok;
void sv_detok_start(sv_detok *d, const sv_vocab *v);
/* Writes what can be shown now to out, valid UTF-8, and returns its length. Bytes
 * that are no character become U+FFFD each. cap is sv_detok_max(v) or more:
 * characters that do not fit are lost. */
size_t sv_detok_push(sv_detok *d, int32_t id, char *out, size_t cap);
size_t sv_detok_finish(sv_detok *d, char *out, size_t cap);  /* what is held, as U+FFFD */
size_t sv_detok_max(const sv_vocab *v);

/* ---- prompts ------------------------------------------------------------- */

typedef struct sv_template sv_template;
const sv_template *sv_template_find(const char *name);     /* NULL: unknown */
const char *sv_template_name(const sv_template *t);
const char *const *sv_template_names(void);                /* NULL-terminated, for --help */
/* What the file asks for: its chat_template text, name and vocabulary; vicuna_v1
 * when nothing speaks against it. */
const sv_template *sv_template_guess(const sv_gguf *g, const sv_vocab *v);

/* One part of a user's turn. */
typedef struct sv_part {
    int is_image;                 /* the text fields are unused then */
    const char *text;
    size_t n_bytes;
} sv_part;

/* The turn as the model reads it: ids, with images in between. */
typedef struct sv_prompt_item {
    int is_image;                 /* the next picture stands here    */
    int32_t id;
    uint8_t question;             /* 1: the user's own words         */
} sv_prompt_item;
typedef struct sv_prompt { sv_prompt_item *item; size_t n, cap; } sv_prompt;
svlm_status sv_prompt_add(sv_prompt *p, int is_image, int32_t id, int question, svlm_error *err);
void sv_prompt_free(sv_prompt *p);

/* Appends one user turn, ready for the answer to follow. first: BOS, the system
 * text (NULL: the template's own) and the preamble come in front. Otherwise what
 * closes the previous answer comes in front. A turn of one or more images
 * followed by text has the images and a line break before the text, as LLaVA
 * was trained; images elsewhere stay where they are. */
svlm_status sv_prompt_turn(sv_prompt *p, const sv_template *t, const sv_vocab *v,
                           const char *system, int first, const sv_part *parts, size_t n_parts,
                           svlm_error *err);

#endif
