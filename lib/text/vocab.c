/* SPDX-License-Identifier: MIT */
/* The vocabulary of a GGUF file: texts, kinds and order of merging, found by
 * text in constant time whatever the file holds (FORMATS.md, section 5.1). */
#include "text/vocab.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "gguf/gguf_read.h"

enum { MAX_TOKENS = 1 << 24, MAX_PROBES = 1024 };

#define KEY "tokenizer.ggml."

/* ---- finding a text ------------------------------------------------------- */

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static int same(sv_span a, const char *s, size_t n)
{
    return a.n == n && !memcmp(a.p, s, n);
}

int32_t sv_vocab_find(const sv_vocab *v, const char *text, size_t n)
{
    if (!n || n > v->longest)
        return -1;
    size_t at = hash(text, n) & (v->n_slots - 1);
    for (int i = 0; i <= MAX_PROBES && v->slot[at] >= 0; i++, at = (at + 1) & (v->n_slots - 1))
        if (same(v->text[v->slot[at]], text, n))
            return v->slot[at];
    return -1;
}

int32_t sv_vocab_word(const sv_vocab *v, const char *text, size_t n)
{
    int32_t id = sv_vocab_find(v, text, n);
    if (id < 0)
        return -1;
    int kind = v->kind[id];
    return kind == SV_TOKEN_NORMAL || kind == SV_TOKEN_USER || kind == SV_TOKEN_UNDEFINED ? id : -1;
}

/* Puts all texts in the table. A text that is there already keeps its first
 * id; a file made so that all texts meet in one place is refused. */
static svlm_status fill_slots(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    int n_double = 0, n_empty = 0;
    for (int32_t id = 0; id < v->n; id++) {
        sv_span t = v->text[id];
        if (!t.n) {
            n_empty++;
            continue;
        }
        size_t at = hash(t.p, t.n) & (v->n_slots - 1);
        int probes = 0;
        while (v->slot[at] >= 0 && !same(v->text[v->slot[at]], t.p, t.n) && probes++ < MAX_PROBES)
            at = (at + 1) & (v->n_slots - 1);
        if (probes > MAX_PROBES)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the texts of the vocabulary were made to "
                           "collide", g->map->path);
        if (v->slot[at] < 0)
            v->slot[at] = id;
        else
            n_double++;
    }
    if (n_double || n_empty)
        sv_logf(log, SVLM_LOG_WARNING, "%s: %d empty and %d repeated texts in the vocabulary are "
                "never read", g->map->path, n_empty, n_double);
    return SVLM_OK;
}

/* ---- special tokens ------------------------------------------------------- */

/* Ends of turns are known by their text, because old files call some normal. */
static int ends_turn(sv_span t)
{
    static const char *const ends[] = {
        "</s>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
        "<end_of_turn>", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<EOT>",
        "<\xef\xbd\234end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\234>",
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (same(t, ends[i], strlen(ends[i])))
            return 1;
    return 0;
}

static int compare_spans(sv_span a, sv_span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

typedef struct by_text { sv_span text; int32_t id; } by_text;

static int compare_by_text(const void *a, const void *b)
{
    const by_text *x = a, *y = b;
    int c = compare_spans(x->text, y->text);
    return c ? c : (x->id > y->id) - (x->id < y->id);
}

static int is_special(const sv_vocab *v, int32_t id)
{
    int kind = v->kind[id];
    return v->text[id].n &&
           (kind == SV_TOKEN_CONTROL || kind == SV_TOKEN_USER || kind == SV_TOKEN_UNKNOWN);
}

static svlm_status sort_special(sv_vocab *v, svlm_error *err)
{
    size_t n = 0;
    for (int32_t id = 0; id < v->n; id++)
        n += (size_t)is_special(v, id);
    by_text *sorted = sv_malloc(SV_MEM_TEMP, n, sizeof *sorted);
    v->special = sv_malloc(SV_MEM_MODEL, n, sizeof *v->special);
    if (!sorted || !v->special) {
        sv_free(sorted);
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu special tokens", n);
    }
    n = 0;
    for (int32_t id = 0; id < v->n; id++)
        if (is_special(v, id))
            sorted[n++] = (by_text){ v->text[id], id };
    qsort(sorted, n, sizeof *sorted, compare_by_text);
    for (size_t i = 0; i < n; i++) {
        v->special[i] = sorted[i].id;
        v->special_first[(uint8_t)sorted[i].text.p[0]] = 1;
    }
    v->n_special = n;
    sv_free(sorted);
    return SVLM_OK;
}

/* User-defined tokens are read in the user's text too, as the reference does,
 * but for those that look like marks of a template: what a user types must
 * never end a turn or begin one. */
static int anyone_may_write(const sv_vocab *v, int32_t id)
{
    sv_span t = v->text[id];
    return v->kind[id] == SV_TOKEN_USER && !(t.p[0] == '<' && t.p[t.n - 1] == '>') &&
           !(t.p[0] == '[' && t.p[t.n - 1] == ']');
}

/* The first special token in [from, to) whose byte at place i is at least c;
 * all of them share the i bytes before. */
static size_t lower_bound(const sv_vocab *v, size_t from, size_t to, size_t i, int c)
{
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        sv_span t = v->text[v->special[mid]];
        int here = i < t.n ? (uint8_t)t.p[i] : -1;
        if (here < c)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

int32_t sv_vocab_special(const sv_vocab *v, const char *text, size_t n, int all)
{
    int32_t best = -1;
    size_t from = 0, to = v->n_special;
    if (!n || !v->special_first[(uint8_t)text[0]])
        return -1;
    for (size_t i = 0; i < n && from < to; i++) {
        int c = (uint8_t)text[i];
        from = lower_bound(v, from, to, i, c);
        to = lower_bound(v, from, to, i, c + 1);
        /* Of those left, the ones that end here come first. */
        if (from < to && v->text[v->special[from]].n == i + 1 &&
            (all || anyone_may_write(v, v->special[from])))
            best = v->special[from];
    }
    return best;
}

/* ---- loading -------------------------------------------------------------- */

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
    v->n_slots = 4;
    while (v->n_slots < a.n * 2)
        v->n_slots *= 2;
    v->text = sv_malloc(SV_MEM_MODEL, a.n, sizeof *v->text);
    v->kind = sv_calloc(SV_MEM_MODEL, a.n, 1);
    v->order = sv_calloc(SV_MEM_MODEL, a.n, sizeof *v->order);
    v->ends = sv_calloc(SV_MEM_MODEL, a.n, 1);
    v->slot = sv_malloc(SV_MEM_MODEL, v->n_slots, sizeof *v->slot);
    if (!v->text || !v->kind || !v->order || !v->ends || !v->slot)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a vocabulary of %d tokens", v->n);
    memset(v->slot, 0xff, v->n_slots * sizeof *v->slot);
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
    if (same(model, "llama", 5))
        return SVLM_OK;
    int shown = model.n < 60 ? (int)model.n : 60;
    if (!same(model, "gpt2", 4))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: the tokenizer is \"%.*s\"; only \"llama\" "
                       "and \"gpt2\" are supported", g->map->path, shown, model.p);
    v->pre = sv_pre_find(pre);
    shown = pre.n < 60 ? (int)pre.n : 60;
    if (!v->pre)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: the pre-tokenizer \"%.*s\" is not "
                       "supported", g->map->path, shown, pre.p);
    if (same(pre, "default", 7))
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
        (st = fill_slots(v, g, log, err)) ||
        (st = sort_special(v, err)))
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
