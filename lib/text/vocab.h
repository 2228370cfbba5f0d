/* SPDX-License-Identifier: MIT */
/* Inside a vocabulary: what the tokenizers and the detokenizer share. */
#ifndef SV_VOCAB_H
#define SV_VOCAB_H

#include <string.h>

#include "text/text.h"

enum { SV_TOKEN_MAX_BYTES = 4096 };              /* longer ones are refused at load */

/* How byte-level BPE cuts text before merging (FORMATS.md, section 5.3). */
typedef struct sv_pre {
    const char *name;
    enum { SV_PRE_GPT2, SV_PRE_QWEN2 } shape;    /* which of the two patterns      */
    int digits;                   /* longest run of digits in a piece, 0: any      */
    int marks;                    /* combining marks belong to words               */
    int whole;                    /* a piece that is a token is not merged         */
    int add_bos;                  /* unless the file says otherwise                */
} sv_pre;

/* One rule of byte-level BPE: two neighbours become one. */
typedef struct sv_rule { int32_t left, right, id; uint32_t rank; } sv_rule;

struct sv_vocab {
    int n;
    sv_span *text;                /* [n] views into the file                       */
    uint8_t *kind;                /* [n] sv_token_kind                             */
    uint32_t *order;              /* [n] SentencePiece: the lower merges first     */
    uint8_t *ends;                /* [n] ends a turn                               */
    int32_t *slot;                /* [n_slots] ids by hash of the text, -1: free   */
    size_t n_slots;
    int32_t *special;             /* [n_special] control, user and unknown tokens, */
    size_t n_special;             /*             sorted by text                    */
    uint8_t special_first[256];   /* 1: some special token begins with this byte   */
    size_t longest;               /* bytes of the longest text                     */

    const sv_pre *pre;            /* NULL: SentencePiece                           */
    sv_rule *rule;                /* [n_rules] hashed by left and right, rank of a */
    size_t n_rules;               /*           free place: UINT32_MAX              */

    int32_t byte_id[256];         /* -1: missing                                   */
    int32_t bos, eos, unk;
    int add_bos, space_prefix;
};

static inline int sv_span_is(sv_span a, const char *s, size_t n)
{
    return a.n == n && !memcmp(a.p, s, n);
}

/* The id of a text that words may become, else -1: normal, or user-defined and no
 * mark of a template. */
int32_t sv_vocab_word(const sv_vocab *v, const char *text, size_t n);
/* "<0x41>" gives 0x41, all else -1. */
int sv_vocab_byte(sv_span text);
/* The longest special token at the beginning of text, or -1. all: of those that
 * a template may use, else of those that anyone may write. */
int32_t sv_vocab_special(const sv_vocab *v, const char *text, size_t n, int all);
/* The rule for two neighbours, or NULL. */
const sv_rule *sv_vocab_rule(const sv_vocab *v, int32_t left, int32_t right);
/* Makes texts and special tokens found; reads tokenizer.ggml.merges. */
svlm_status sv_vocab_index(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err);
svlm_status sv_vocab_load_rules(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err);

/* NULL for a name that is unknown. */
const sv_pre *sv_pre_find(sv_span name);
/* Length of the first piece of text[0..n), n > 0. */
size_t sv_pre_next(const sv_pre *p, const char *text, size_t n);

/* Byte-level BPE writes bytes as characters: printable ones as themselves. */
uint32_t sv_byte_to_char(uint8_t byte);
int sv_char_to_byte(uint32_t code);              /* -1: not such a character */

/* Text under way to tokens, with the origin of each byte. */
typedef struct sv_run {
    char *text;
    uint8_t *question;            /* 1: of the user's own words */
    size_t n, cap;
} sv_run;
/* Whether any of these bytes are of the user's own words. */
int sv_run_asks(const sv_run *r, size_t from, size_t to);

/* Best-first merging of neighbours, shared by both tokenizers (merge.c). */
typedef struct sv_symbol { uint32_t start, prev, next; int32_t id; } sv_symbol;
typedef struct sv_pair { uint64_t key; uint32_t n_bytes; int32_t id; } sv_pair;
typedef struct sv_merger {
    sv_symbol *sym;               /* [n_sym + 1], the last one marks the end */
    size_t n_sym, cap_sym;
    sv_pair *heap;                /* [n_heap] lowest key first */
    size_t n_heap, cap_heap;
} sv_merger;

/* What neighbours become: 0 when they do not merge, else 1 with the place in
 * the order of merging (lowest first) and the id of the whole. */
typedef int (*sv_pair_fn)(const void *ctx, const sv_merger *m, const sv_symbol *left,
                          const sv_symbol *right, uint32_t *order, int32_t *id);

/* Adds a symbol that begins at start; the first call after n_sym = 0 begins anew. */
svlm_status sv_merger_add(sv_merger *m, size_t start, int32_t id, svlm_error *err);
/* Merges all that can be merged in a text of n bytes; the symbols left are
 * linked by next from sym[0] to sym[n_sym]. */
svlm_status sv_merge(sv_merger *m, size_t n, sv_pair_fn pair, const void *ctx, svlm_error *err);
void sv_merger_free(sv_merger *m);

/* Appends the tokens of a run without special tokens. */
svlm_status sv_tokenize_spm(const sv_vocab *v, const sv_run *r, sv_merger *m, sv_prompt *out,
                            svlm_error *err);
svlm_status sv_tokenize_bpe(const sv_vocab *v, const sv_run *r, sv_merger *m, sv_prompt *out,
                            svlm_error *err);

/* Part of a text, by origin. */
typedef struct sv_stretch {
    const char *text;
    size_t n;
    int special;                  /* of a template: special tokens are read */
    int question;                 /* the user's own words                   */
} sv_stretch;
/* Appends the tokens of stretches that are read as one text. */
svlm_status sv_tokenize_stretches(const sv_vocab *v, const sv_stretch *s, size_t n,
                                  sv_prompt *out, svlm_error *err);

#endif
