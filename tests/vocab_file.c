/* SPDX-License-Identifier: MIT */
/* Vocabularies for tests: from a model file, or made of a few lines. */
#include "vocab_file.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "text/vocab.h"

enum { MAX_TOKENS = 4096 };

static void keep_warning(void *user, svlm_log_level level, const char *line)
{
    vocab_file *f = user;
    size_t n = strlen(f->warning);
    if (level == SVLM_LOG_WARNING)
        snprintf(f->warning + n, sizeof f->warning - n, "%s\n", line);
}

static svlm_status load(vocab_file *f, const char *path, svlm_error *err)
{
    memset(f, 0, sizeof *f);
    sv_log log = { keep_warning, f };
    svlm_error e;
    if (sv_map_file(&f->map, path, 0, &e) || sv_gguf_parse(&f->g, &f->map, &e))
        fail_msg("%s", e.message);
    return sv_vocab_load(&f->v, &f->g, &log, err);
}

void vocab_open(vocab_file *f, const char *path)
{
    svlm_error err;
    if (load(f, path, &err))
        fail_msg("%s", err.message);
}

void vocab_close(vocab_file *f)
{
    sv_vocab_free(f->v);
    sv_gguf_free(&f->g);
    sv_map_close(&f->map);
}

/* Texts of the 256 byte tokens. */
static void byte_texts(const vocab_recipe *r, char text[256][8])
{
    for (int b = 0; b < 256; b++) {
        memset(text[b], 0, 8);
        if (strcmp(r->model, "llama"))
            sv_utf8_encode(sv_byte_to_char((uint8_t)b), (uint8_t *)text[b]);
        else
            snprintf(text[b], 8, "<0x%02X>", (unsigned)b);
    }
}

static void put_tokens(sv_gguf_writer *w, const vocab_recipe *r)
{
    static sv_span text[MAX_TOKENS];
    static float score[MAX_TOKENS];
    static int32_t kind[MAX_TOKENS];
    static char bytes[256][8];
    size_t n = 0;
    assert_true(r->n + 256 <= MAX_TOKENS);
    for (; n < r->n; n++) {
        text[n] = (sv_span){ r->tokens[n].text, strlen(r->tokens[n].text) };
        score[n] = r->tokens[n].score;
        kind[n] = r->tokens[n].kind;
    }
    if (r->bytes)
        byte_texts(r, bytes);
    for (int b = 0; b < 256 && r->bytes; b++, n++) {
        text[n] = (sv_span){ bytes[b], strlen(bytes[b]) };
        score[n] = 0;
        kind[n] = strcmp(r->model, "llama") ? SV_TOKEN_NORMAL : SV_TOKEN_BYTE;
    }
    size_t n_each = r->n_scores ? r->n_scores : n;
    sv_gguf_put_strings(w, "tokenizer.ggml.tokens", text, n);
    if (!r->no_scores)
        sv_gguf_put_array(w, "tokenizer.ggml.scores", SV_GGUF_F32, score, n_each);
    if (!r->no_kinds)
        sv_gguf_put_array(w, "tokenizer.ggml.token_type", SV_GGUF_I32, kind, n_each);
}

static void put_merges(sv_gguf_writer *w, const vocab_recipe *r)
{
    static sv_span text[MAX_TOKENS];
    assert_true(r->n_merges <= MAX_TOKENS);
    for (size_t i = 0; i < r->n_merges; i++)
        text[i] = (sv_span){ r->merges[i], strlen(r->merges[i]) };
    sv_gguf_put_strings(w, "tokenizer.ggml.merges", text, r->n_merges);
}

static void put_text(sv_gguf_writer *w, const char *key, const char *text)
{
    if (text)
        sv_gguf_put_str(w, key, text);
}

svlm_status vocab_make(vocab_file *f, const vocab_recipe *r, svlm_error *err)
{
    char folder[] = "/tmp/svlm-vocab-XXXXXX", path[64];
    svlm_error e;
    sv_gguf_writer *w;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/vocab.gguf", folder);
    assert_int_equal(sv_gguf_create(&w, path, &e), SVLM_OK);
    put_text(w, "general.name", r->name);
    put_text(w, "tokenizer.ggml.model", r->model);
    put_text(w, "tokenizer.ggml.pre", r->pre);
    put_text(w, "tokenizer.chat_template", r->chat_template);
    if (r->tokens || r->bytes)
        put_tokens(w, r);
    if (r->merges)
        put_merges(w, r);
    if (r->more)
        r->more(w);
    assert_int_equal(sv_gguf_commit(w, &e), SVLM_OK);
    sv_gguf_discard(w);
    svlm_status st = load(f, path, err);
    unlink(path);
    rmdir(folder);
    return st;
}

void vocab_check(const sv_vocab *v, const char *text, int special, const int32_t *want)
{
    sv_ids got = { 0 };
    assert_int_equal(sv_tokenize(v, text, strlen(text), special, &got, NULL), SVLM_OK);
    size_t n = 0;
    for (; want[n] >= 0; n++)
        if (n >= got.n || got.id[n] != want[n])
            fail_msg("\"%s\": token %zu is %d, not %d", text, n,
                     n < got.n ? (int)got.id[n] : -1, (int)want[n]);
    assert_int_equal(got.n, n);
    sv_ids_free(&got);
}
