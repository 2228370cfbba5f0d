/* SPDX-License-Identifier: MIT */
/* SentencePiece's pieces, then tokens that were added to them, then fillers: embeddings
 * are often padded to a round number of rows. */
#include "convert_vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sentencepiece.h"

enum { CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, FILLER_SIZE = 32 };

typedef struct vocab {
    sv_sentencepiece sp;
    size_t n;
    sv_span *texts;
    float *scores;
    int32_t *types;
    char (*fillers)[FILLER_SIZE]; /* [n - sp.n] */
} vocab;

static svlm_status start(vocab *v, const char *folder, uint64_t n_rows, svlm_error *err)
{
    if (n_rows < v->sp.n)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: tokenizer.model has %zu pieces, the embedding only %" PRIu64 " rows",
                       folder, v->sp.n, n_rows);
    if (n_rows > INT32_MAX)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: an embedding of %" PRIu64 " rows", folder, n_rows);
    size_t n = v->n = (size_t)n_rows, had = v->sp.n;
    v->texts = sv_malloc(SV_MEM_TEMP, n, sizeof *v->texts);
    v->scores = sv_malloc(SV_MEM_TEMP, n, sizeof *v->scores);
    v->types = sv_malloc(SV_MEM_TEMP, n, sizeof *v->types);
    v->fillers = sv_malloc(SV_MEM_TEMP, n - had, sizeof *v->fillers);
    if (!v->texts || !v->scores || !v->types || !v->fillers)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a vocabulary of %zu", n);
    memcpy(v->texts, v->sp.texts, had * sizeof *v->texts);
    memcpy(v->scores, v->sp.scores, had * sizeof *v->scores);
    memcpy(v->types, v->sp.types, had * sizeof *v->types);
    for (size_t i = had; i < n; i++) {
        snprintf(v->fillers[i - had], FILLER_SIZE, "[PAD%zu]", i);
        v->texts[i] = (sv_span){ v->fillers[i - had], strlen(v->fillers[i - had]) };
        v->scores[i] = 0;
        v->types[i] = UNUSED;
    }
    return SVLM_OK;
}

/* Only rows behind the pieces: what is in tokenizer.model is settled there. */
static void add(vocab *v, json_int_t id, const json_t *text, int32_t type)
{
    if (id < (json_int_t)v->sp.n || id >= (json_int_t)v->n || !json_string_length(text))
        return;
    v->texts[id] = (sv_span){ json_string_value(text), json_string_length(text) };
    v->types[id] = type;
}

/* added: { "<image>": 32000 }; tokenizer: "added_tokens_decoder": { "32000": { "content":
 * "<image>", "special": true } }. The texts stay in the JSON trees. */
static void add_tokens(vocab *v, const sv_hf_config *c)
{
    const char *name;
    json_t *value, *decoder = json_object_get(c->tokenizer, "added_tokens_decoder"),
                   *copies = c->added;
    json_object_foreach(copies, name, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < (json_int_t)v->sp.n || id >= (json_int_t)v->n)
            continue;
        v->texts[id] = (sv_span){ name, strlen(name) };
        v->types[id] = CONTROL;
    }
    json_object_foreach(decoder, name, value)
        add(v, strtoll(name, NULL, 10), json_object_get(value, "content"),
            json_is_true(json_object_get(value, "special")) ? CONTROL : USER_DEFINED);
}

static void put_id(sv_gguf_writer *w, const char *key, int id, const vocab *v)
{
    if (id >= 0 && (size_t)id < v->n)
        sv_gguf_put_u32(w, key, (uint32_t)id);
}

static void put(sv_gguf_writer *w, const vocab *v, const sv_hf_config *c)
{
    const sv_sentencepiece *sp = &v->sp;
    const json_t *template = json_object_get(c->tokenizer, "chat_template");
    sv_gguf_put_str(w, "tokenizer.ggml.model", "llama");
    sv_gguf_put_str(w, "tokenizer.ggml.pre", "default");
    sv_gguf_put_strings(w, "tokenizer.ggml.tokens", v->texts, v->n);
    sv_gguf_put_array(w, "tokenizer.ggml.scores", SV_GGUF_F32, v->scores, v->n);
    sv_gguf_put_array(w, "tokenizer.ggml.token_type", SV_GGUF_I32, v->types, v->n);
    put_id(w, "tokenizer.ggml.bos_token_id", c->bos >= 0 ? c->bos : sp->bos, v);
    put_id(w, "tokenizer.ggml.eos_token_id", c->eos >= 0 ? c->eos : sp->eos, v);
    put_id(w, "tokenizer.ggml.unknown_token_id", sp->unk, v);
    put_id(w, "tokenizer.ggml.padding_token_id", c->pad >= 0 ? c->pad : sp->pad, v);
    sv_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", c->add_bos != 0);
    sv_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", c->add_eos == 1);
    if (!sp->add_space_prefix)
        sv_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", 0);
    if (json_is_string(template))
        sv_gguf_put_str(w, "tokenizer.chat_template", json_string_value(template));
}

svlm_status sv_convert_vocab(sv_gguf_writer *w, const char *folder, const sv_hf_config *c,
                             uint64_t n_rows, svlm_error *err)
{
    vocab v = { .n = 0 };
    char *path = sv_path_join(folder, "tokenizer.model");
    svlm_status st = path ? sv_sentencepiece_open(&v.sp, path, err)
                          : sv_fail(err, SVLM_ERR_NOMEM, "no memory for a file name");
    if (!st && !(st = start(&v, folder, n_rows, err))) {
        add_tokens(&v, c);
        put(w, &v, c);
    }
    sv_free(v.fillers);
    sv_free(v.types);
    sv_free(v.scores);
    sv_free(v.texts);
    sv_sentencepiece_close(&v.sp);
    sv_free(path);
    return st;
}
