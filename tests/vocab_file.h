/* SPDX-License-Identifier: MIT */
/* Vocabularies for tests: from a model file, or made of a few lines. */
#ifndef SV_VOCAB_FILE_H
#define SV_VOCAB_FILE_H

#include "check.h"

#include "gguf/gguf_write.h"
#include "text/text.h"

typedef struct vocab_file {
    sv_map map;
    sv_gguf g;
    sv_vocab *v;
    char warning[1000];           /* of loading, one a line */
} vocab_file;

typedef struct vocab_token { const char *text; float score; int32_t kind; } vocab_token;

/* What a made file holds; NULL and 0: the key is left out. */
typedef struct vocab_recipe {
    const char *model, *pre, *name, *chat_template;
    const vocab_token *tokens;
    size_t n;
    int bytes;                    /* 1: byte tokens follow, as the model writes them */
    int no_scores, no_kinds;
    size_t n_scores;              /* entries of scores and kinds if not as many as tokens */
    const char *const *merges;
    size_t n_merges;
    void (*more)(sv_gguf_writer *w);             /* further keys */
} vocab_recipe;

/* A file below tests/data; fails the test when it cannot be read. */
void vocab_open(vocab_file *f, const char *path);
/* Makes and loads a file; the status is that of sv_vocab_load. */
svlm_status vocab_make(vocab_file *f, const vocab_recipe *r, svlm_error *err);
void vocab_close(vocab_file *f);

/* Fails unless the text becomes these ids (-1 ends them; no bos). */
void vocab_check(const sv_vocab *v, const char *text, int special, const int32_t *ids);

#endif
