/* SPDX-License-Identifier: MIT */
/* Text to ids: special tokens are cut out first, what lies between goes to the
 * tokenizer of the vocabulary. Every token knows whether it holds words of the
 * user (FORMATS.md, section 5.2). */
#include <string.h>

#include "base/alloc.h"
#include "text/vocab.h"

enum { MAX_TEXT = 1 << 25 };      /* bytes of one call; three times as much fits 32 bits */

svlm_status sv_ids_add(sv_ids *ids, int32_t id, svlm_error *err)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? ids->cap * 2 : 64;
        int32_t *p = sv_realloc(SV_MEM_CHAT, ids->id, cap, sizeof *p);
        if (!p)
            return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu tokens", cap);
        ids->id = p;
        ids->cap = cap;
    }
    ids->id[ids->n++] = id;
    return SVLM_OK;
}

void sv_ids_free(sv_ids *ids)
{
    sv_free(ids->id);
    memset(ids, 0, sizeof *ids);
}

static svlm_status run_add(sv_run *r, const char *text, size_t n, int question, svlm_error *err)
{
    if (!n)
        return SVLM_OK;
    if (n > r->cap - r->n) {
        size_t cap = r->cap * 2 > r->n + n ? r->cap * 2 : r->n + n + 64;
        char *t = sv_realloc(SV_MEM_TEMP, r->text, cap, 1);
        if (t)
            r->text = t;
        uint8_t *q = t ? sv_realloc(SV_MEM_TEMP, r->question, cap, 1) : NULL;
        if (!q)
            return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a text of %zu bytes", cap);
        r->question = q;
        r->cap = cap;
    }
    memcpy(r->text + r->n, text, n);
    memset(r->question + r->n, question, n);
    r->n += n;
    return SVLM_OK;
}

int sv_run_asks(const sv_run *r, size_t from, size_t to)
{
    return memchr(r->question + from, 1, to - from) != NULL;
}

/* Appends text as the tokenizer reads it: SentencePiece sees U+2581 for a space
 * and one in front of every text. */
static svlm_status run_add_text(const sv_vocab *v, sv_run *r, const char *text, size_t n,
                                int question, svlm_error *err)
{
    static const char space[] = "\xe2\x96\x81";
    svlm_status st = SVLM_OK;
    if (v->pre || !n)
        return run_add(r, text, n, question, err);
    if (!r->n && v->space_prefix)
        st = run_add(r, space, 3, 0, err);
    for (size_t i = 0; !st && i < n;) {
        const char *blank = memchr(text + i, ' ', n - i);
        size_t plain = blank ? (size_t)(blank - text) - i : n - i;
        st = run_add(r, text + i, plain, question, err);
        if (!st && blank)
            st = run_add(r, space, 3, question, err);
        i += plain + (blank != NULL);
    }
    return st;
}

typedef struct state {
    const sv_vocab *v;
    sv_run run;
    sv_merger merger;
    sv_prompt *out;
} state;

static svlm_status flush(state *s, svlm_error *err)
{
    if (!s->run.n)
        return SVLM_OK;
    svlm_status st = s->v->pre ? sv_tokenize_bpe(s->v, &s->run, &s->merger, s->out, err)
                               : sv_tokenize_spm(s->v, &s->run, &s->merger, s->out, err);
    s->run.n = 0;
    return st;
}

static svlm_status read_stretch(state *s, const sv_stretch *t, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    size_t from = 0;              /* where plain text begins that has not been added */
    for (size_t i = 0; !st && i < t->n;) {
        int32_t id = sv_vocab_special(s->v, t->text + i, t->n - i, t->special);
        if (id < 0) {
            i++;
            continue;
        }
        if ((st = run_add_text(s->v, &s->run, t->text + from, i - from, t->question, err)) ||
            (st = flush(s, err)) ||
            (st = sv_prompt_add(s->out, 0, id, t->question, err)))
            return st;
        i += sv_vocab_text(s->v, id).n;
        from = i;
    }
    return run_add_text(s->v, &s->run, t->text + from, t->n - from, t->question, err);
}

svlm_status sv_tokenize_stretches(const sv_vocab *v, const sv_stretch *t, size_t n,
                                  sv_prompt *out, svlm_error *err)
{
    state s = { .v = v, .out = out };
    svlm_status st = SVLM_OK;
    size_t total = 0, n_before = out->n;
    for (size_t i = 0; i < n; i++) {
        if (t[i].n > MAX_TEXT - total)
            return sv_fail(err, SVLM_ERR_LIMIT, "the text is longer than %d bytes", MAX_TEXT);
        total += t[i].n;
    }
    for (size_t i = 0; !st && i < n; i++)
        st = read_stretch(&s, &t[i], err);
    if (!st)
        st = flush(&s, err);
    if (st)
        out->n = n_before;
    sv_free(s.run.text);
    sv_free(s.run.question);
    sv_merger_free(&s.merger);
    return st;
}

svlm_status sv_tokenize(const sv_vocab *v, const char *text, size_t n, int special, sv_ids *ids,
                        svlm_error *err)
{
    sv_stretch t = { text, n, special, 0 };
    sv_prompt out = { 0 };
    size_t n_before = ids->n;
    svlm_status st = sv_tokenize_stretches(v, &t, 1, &out, err);
    for (size_t i = 0; !st && i < out.n; i++)
        st = sv_ids_add(ids, out.item[i].id, err);
    if (st)
        ids->n = n_before;
    sv_prompt_free(&out);
    return st;
}
