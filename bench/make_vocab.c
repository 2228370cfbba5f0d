/* SPDX-License-Identifier: MIT */
/* A SentencePiece vocabulary made by rule: every piece of several letters is the
 * join of two shorter ones with better scores, so text really merges. */
#include <stdio.h>

#include "base/alloc.h"
#include "bench/make_model.h"

enum { N_SPECIAL = 3, N_BYTES = 256, N_ASCII = 95, MAX_PIECE = 8 };
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, BYTE = 6 };

typedef struct vocab {
    size_t n, size;
    sv_span *tokens;
    float *scores;
    int32_t *types;
    char (*text)[MAX_PIECE];
} vocab;

/* Does nothing once the vocabulary is full. */
static void add(vocab *v, const char *text, int32_t type)
{
    size_t i = v->n;
    if (i == v->size)
        return;
    snprintf(v->text[i], MAX_PIECE, "%s", text);
    v->tokens[i] = (sv_span){ v->text[i], strlen(v->text[i]) };
    v->scores[i] = type == NORMAL ? -(float)i : 0;
    v->types[i] = type;
    v->n++;
}

static void add_words(vocab *v)
{
    static const char space[] = "\xe2\x96\x81";          /* U+2581 */
    char s[MAX_PIECE];
    for (int a = 'a'; a <= 'z'; a++) {
        snprintf(s, sizeof s, "%s%c", space, a);
        add(v, s, NORMAL);
    }
    for (int spaced = 1; spaced >= 0; spaced--)
        for (int i = 0; i < 26 * 26; i++) {
            snprintf(s, sizeof s, "%s%c%c", spaced ? space : "", 'a' + i / 26, 'a' + i % 26);
            add(v, s, NORMAL);
        }
    for (int spaced = 1; spaced >= 0; spaced--)
        for (int i = 0; i < 26 * 26 * 26; i++) {
            snprintf(s, sizeof s, "%s%c%c%c", spaced ? space : "", 'a' + i / 676, 'a' + i / 26 % 26,
                     'a' + i % 26);
            add(v, s, NORMAL);
        }
}

static void fill(vocab *v)
{
    char s[MAX_PIECE];
    add(v, "<unk>", UNKNOWN);
    add(v, "<s>", CONTROL);
    add(v, "</s>", CONTROL);
    for (int i = 0; i < N_BYTES; i++) {
        snprintf(s, sizeof s, "<0x%02X>", i);
        add(v, s, BYTE);
    }
    add(v, "\xe2\x96\x81", NORMAL);
    for (int c = '!'; c <= '~'; c++)
        add(v, (char[]){ (char)c, 0 }, NORMAL);
    add_words(v);
    for (size_t i = 0; v->n < v->size; i++) {            /* a character each from U+4E00 on */
        unsigned code = 0x4e00 + (unsigned)i;
        snprintf(s, sizeof s, "%c%c%c", 0xe0 | code >> 12, 0x80 | (code >> 6 & 63),
                 0x80 | (code & 63));
        add(v, s, NORMAL);
    }
}

static void put(sv_gguf_writer *w, const sv_model_patch *p, const vocab *v)
{
    if (sv_patch_wants(p, w, "tokenizer.ggml.model"))
        sv_gguf_put_str(w, "tokenizer.ggml.model", "llama");
    if (sv_patch_wants(p, w, "tokenizer.ggml.pre"))
        sv_gguf_put_str(w, "tokenizer.ggml.pre", "default");
    if (sv_patch_wants(p, w, "tokenizer.ggml.tokens"))
        sv_gguf_put_strings(w, "tokenizer.ggml.tokens", v->tokens, v->n);
    if (sv_patch_wants(p, w, "tokenizer.ggml.scores"))
        sv_gguf_put_array(w, "tokenizer.ggml.scores", SV_GGUF_F32, v->scores, v->n);
    if (sv_patch_wants(p, w, "tokenizer.ggml.token_type"))
        sv_gguf_put_array(w, "tokenizer.ggml.token_type", SV_GGUF_I32, v->types, v->n);
    static const char *const ids[] = { "unknown", "bos", "eos" };
    for (uint32_t i = 0; i < 3; i++) {
        char key[48];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ids[i]);
        if (sv_patch_wants(p, w, key))
            sv_gguf_put_u32(w, key, i);
    }
    if (sv_patch_wants(p, w, "tokenizer.ggml.add_bos_token"))
        sv_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", 1);
    if (sv_patch_wants(p, w, "tokenizer.ggml.add_eos_token"))
        sv_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", 0);
}

svlm_status sv_put_vocab(sv_gguf_writer *w, const sv_model_patch *p, size_t n, svlm_error *err)
{
    vocab v = { .size = n };
    svlm_status st = SVLM_OK;
    v.tokens = sv_malloc(SV_MEM_TEMP, n, sizeof *v.tokens);
    v.scores = sv_malloc(SV_MEM_TEMP, n, sizeof *v.scores);
    v.types = sv_malloc(SV_MEM_TEMP, n, sizeof *v.types);
    v.text = sv_malloc(SV_MEM_TEMP, n, sizeof *v.text);
    if (v.tokens && v.scores && v.types && v.text) {
        fill(&v);
        put(w, p, &v);
    } else {
        st = sv_fail(err, SVLM_ERR_NOMEM, "no memory for a vocabulary of %zu", n);
    }
    sv_free(v.text);
    sv_free(v.types);
    sv_free(v.scores);
    sv_free(v.tokens);
    return st;
}
