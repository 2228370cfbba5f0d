/* SPDX-License-Identifier: MIT */
/* The vocabulary of a GGUF file: texts, kinds, order of merging and special
 * ids (FORMATS.md, section 5.1). */
#include "text/vocab.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "gguf/gguf_read.h"

enum { MAX_TOKENS = 1 << 20 };

#define KEY "tokenizer.ggml."

static svlm_status load_texts(sv_vocab *v, const sv_gguf *g, svlm_error *err)
{
    sv_gguf_array a = { 0 };
    svlm_status st = sv_gguf_opt_array(g, KEY "tokens", &a, err);
    if (st)
        return st;
    if (!a.data || a.type != SV_GGUF_STR || !a.n || a.n > MAX_TOKENS)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: " KEY "tokens must be 1 to %d strings",
                       g->map->path, MAX_TOKENS);
    v->n = (int)a.n;
    v->text = sv_malloc(SV_MEM_MODEL, a.n, sizeof *v->text);
    v->kind = sv_calloc(SV_MEM_MODEL, a.n, 1);
    v->order = sv_calloc(SV_MEM_MODEL, a.n, sizeof *v->order);
    v->ends = sv_calloc(SV_MEM_MODEL, a.n, 1);
    if (!v->text || !v->kind || !v->order || !v->ends)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a vocabulary of %d tokens", v->n);
    const uint8_t *at = a.data;
    for (int i = 0; i < v->n; i++) {
        v->text[i] = sv_gguf_next_string(&a, &at);
        if (v->text[i].n > SV_TOKEN_MAX_BYTES)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: token %d has %zu bytes, the limit is %d",
                           g->map->path, i, v->text[i].n, SV_TOKEN_MAX_BYTES);
        if (v->text[i].n > v->longest)
            v->longest = v->text[i].n;
    }
    return SVLM_OK;
}

/* An array of numbers with one for each token, or none at all (data == NULL). */
static svlm_status per_token(sv_gguf_array *a, const sv_vocab *v, const sv_gguf *g,
                             const char *key, svlm_error *err)
{
    memset(a, 0, sizeof *a);
    svlm_status st = sv_gguf_opt_array(g, key, a, err);
    if (!st && a->data && !sv_gguf_type_bytes(a->type))
        st = sv_fail(err, SVLM_ERR_FORMAT, "%s: %s must hold numbers", g->map->path, key);
    if (!st && a->data && a->n < (uint64_t)v->n)
        st = sv_fail(err, SVLM_ERR_FORMAT, "%s: %s has %" PRIu64 " entries for %d tokens",
                     g->map->path, key, a->n, v->n);
    return st;
}

/* Scores as integers that order the same way, highest first, so that merging
 * needs no comparison of floats. NaN counts as the lowest. */
static uint32_t order_of(double score)
{
    float f = isnan(score) ? -INFINITY : (float)score + 0.0f;    /* -0 is 0 */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return ~(bits >> 31 ? ~bits : bits | 0x80000000u);
}

static svlm_status load_scores(sv_vocab *v, const sv_gguf *g, svlm_error *err)
{
    sv_gguf_array a;
    svlm_status st = per_token(&a, v, g, KEY "scores", err);
    for (int i = 0; !st && i < v->n; i++)
        v->order[i] = order_of(a.data ? sv_gguf_number(&a, (uint64_t)i) : 0);
    return st;
}

int sv_vocab_byte(sv_span t)
{
    static const char digits[] = "0123456789ABCDEF";
    if (t.n != 6 || memcmp(t.p, "<0x", 3) || t.p[5] != '>')
        return -1;
    const char *hi = memchr(digits, t.p[3], 16), *lo = memchr(digits, t.p[4], 16);
    return hi && lo ? (int)((hi - digits) * 16 + (lo - digits)) : -1;
}

/* Ends of turns are known by their text, because old files call some normal. */
static int ends_turn(sv_span t)
{
    static const char *const ends[] = {
        "</s>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
        "<end_of_turn>", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<EOT>",
        "<\xef\xbd\234end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\234>",
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sv_span_is(t, ends[i], strlen(ends[i])))
            return 1;
    return 0;
}

static svlm_status load_kinds(sv_vocab *v, const sv_gguf *g, svlm_error *err)
{
    sv_gguf_array a;
    svlm_status st = per_token(&a, v, g, KEY "token_type", err);
    for (int i = 0; !st && i < v->n; i++) {
        double kind = a.data ? sv_gguf_number(&a, (uint64_t)i) : SV_TOKEN_NORMAL;
        if (!(kind >= 0 && kind <= SV_TOKEN_BYTE))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: " KEY "token_type of token %d is %g",
                           g->map->path, i, kind);
        v->kind[i] = (uint8_t)kind;
        if (!a.data && !v->pre && sv_vocab_byte(v->text[i]) >= 0)
            v->kind[i] = SV_TOKEN_BYTE;
        if (ends_turn(v->text[i])) {
            v->ends[i] = 1;
            v->kind[i] = SV_TOKEN_CONTROL;
        }
    }
    return st;
}

/* An id of a special token; one outside the vocabulary counts as absent. */
static svlm_status load_id(int32_t *id, int32_t standard, const sv_vocab *v, const sv_gguf *g,
                           const char *key, const sv_log *log, svlm_error *err)
{
    uint32_t value = standard < 0 ? UINT32_MAX : (uint32_t)standard;
    svlm_status st = sv_gguf_opt_u32(g, key, &value, err);
    if (st)
        return st;
    if (value >= (uint32_t)v->n && sv_gguf_has(g, key))
        sv_logf(log, SVLM_LOG_WARNING, "%s: %s is %" PRIu32 ", beyond the %d tokens; ignored",
                g->map->path, key, value, v->n);
    *id = value < (uint32_t)v->n ? (int32_t)value : -1;
    return SVLM_OK;
}

static svlm_status load_ids(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    int32_t eot = -1, eom = -1;
    int spm = !v->pre;
    v->add_bos = spm || v->pre->add_bos;
    v->space_prefix = spm;
    svlm_status st;
    if ((st = load_id(&v->bos, spm ? 1 : -1, v, g, KEY "bos_token_id", log, err)) ||
        (st = load_id(&v->eos, spm ? 2 : -1, v, g, KEY "eos_token_id", log, err)) ||
        (st = load_id(&v->unk, spm ? 0 : -1, v, g, KEY "unknown_token_id", log, err)) ||
        (st = load_id(&eot, -1, v, g, KEY "eot_token_id", log, err)) ||
        (st = load_id(&eom, -1, v, g, KEY "eom_token_id", log, err)) ||
        (st = sv_gguf_opt_bool(g, KEY "add_bos_token", &v->add_bos, err)) ||
        (st = sv_gguf_opt_bool(g, KEY "add_space_prefix", &v->space_prefix, err)))
        return st;
    const int32_t ends[] = { v->eos, eot, eom };
    for (int i = 0; i < 3; i++)
        if (ends[i] >= 0) {
            v->ends[ends[i]] = 1;
            v->kind[ends[i]] = SV_TOKEN_CONTROL;
        }
    if (v->bos >= 0)
        v->kind[v->bos] = SV_TOKEN_CONTROL;
    return SVLM_OK;
}

static void find_bytes(sv_vocab *v, const sv_gguf *g, const sv_log *log)
{
    int missing = 0;
    memset(v->byte_id, 0xff, sizeof v->byte_id);
    for (int32_t id = v->n - 1; id >= 0 && !v->pre; id--)
        if (v->kind[id] == SV_TOKEN_BYTE && sv_vocab_byte(v->text[id]) >= 0)
            v->byte_id[sv_vocab_byte(v->text[id])] = id;
    for (int b = 0; b < 256; b++) {
        uint8_t utf8[4];
        if (v->pre) {
            int n = sv_utf8_encode(sv_byte_to_char((uint8_t)b), utf8);
            v->byte_id[b] = sv_vocab_word(v, (const char *)utf8, (size_t)n);
        }
        missing += v->byte_id[b] < 0;
    }
    if (missing)
        sv_logf(log, SVLM_LOG_WARNING, "%s: %d of 256 bytes have no token; text with them is "
                "partly lost", g->map->path, missing);
}

/* Which tokenizer the file wants: v->pre is NULL for SentencePiece. */
static svlm_status choose_tokenizer(sv_vocab *v, const sv_gguf *g, const sv_log *log,
                                    svlm_error *err)
{
    sv_span model, pre = { "default", 7 };
    svlm_status st;
    if ((st = sv_gguf_get_str(g, KEY "model", &model, err)) ||
        (st = sv_gguf_opt_str(g, KEY "pre", &pre, err)))
        return st;
    if (sv_span_is(model, "llama", 5))
        return SVLM_OK;
    int shown = model.n < 60 ? (int)model.n : 60;
    if (!sv_span_is(model, "gpt2", 4))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: the tokenizer is \"%.*s\"; only \"llama\" "
                       "and \"gpt2\" are supported", g->map->path, shown, model.p);
    v->pre = sv_pre_find(pre);
    shown = pre.n < 60 ? (int)pre.n : 60;
    if (!v->pre)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: the pre-tokenizer \"%.*s\" is not "
                       "supported", g->map->path, shown, pre.p);
    if (sv_span_is(pre, "default", 7))
        sv_logf(log, SVLM_LOG_WARNING, "%s: the file does not name its pre-tokenizer; gpt-2's "
                "is used, answers may suffer", g->map->path);
    return SVLM_OK;
}

svlm_status sv_vocab_load(sv_vocab **out, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    svlm_status st;
    *out = NULL;
    sv_vocab *v = sv_calloc(SV_MEM_MODEL, 1, sizeof *v);
    if (!v)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a vocabulary");
    if ((st = choose_tokenizer(v, g, log, err)) ||
        (st = load_texts(v, g, err)) ||
        (st = load_scores(v, g, err)) ||
        (st = load_kinds(v, g, err)) ||
        (st = load_ids(v, g, log, err)) ||
        (st = sv_vocab_index(v, g, log, err)))
        goto fail;
    find_bytes(v, g, log);
    if (v->pre && (st = sv_vocab_load_rules(v, g, log, err)))
        goto fail;
    *out = v;
    return SVLM_OK;
fail:
    sv_vocab_free(v);
    return st;
}

void sv_vocab_free(sv_vocab *v)
{
    if (!v)
        return;
    sv_free(v->text);
    sv_free(v->kind);
    sv_free(v->order);
    sv_free(v->ends);
    sv_free(v->slot);
    sv_free(v->special);
    sv_free(v->rule);
    sv_free(v);
}

/* ---- questions ------------------------------------------------------------ */

int sv_vocab_size(const sv_vocab *v)
{
    return v->n;
}

size_t sv_vocab_longest(const sv_vocab *v)
{
    return v->longest;
}

int32_t sv_vocab_bos(const sv_vocab *v)
{
    return v->bos;
}

int32_t sv_vocab_eos(const sv_vocab *v)
{
    return v->eos;
}

int sv_vocab_add_bos(const sv_vocab *v)
{
    return v->add_bos && v->bos >= 0;
}

int sv_vocab_is_end(const sv_vocab *v, int32_t id)
{
    return id >= 0 && id < v->n && v->ends[id];
}

int sv_vocab_may_sample(const sv_vocab *v, int32_t id)
{
    return id >= 0 && id < v->n && v->kind[id] != SV_TOKEN_UNUSED;
}

sv_span sv_vocab_text(const sv_vocab *v, int32_t id)
{
    return id >= 0 && id < v->n ? v->text[id] : (sv_span){ "", 0 };
}
