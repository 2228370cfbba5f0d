/* SPDX-License-Identifier: MIT */
/* Finding tokens by text: a hash table for words, a sorted list for special
 * tokens. Both stay fast whatever the file holds. */
#include "text/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { MAX_PROBES = 1024 };

/* ---- finding a text ------------------------------------------------------- */

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* The place of a text in the table, or the free one where it would be; n_slots
 * when neither is near. */
static size_t place(const sv_vocab *v, const char *text, size_t n)
{
    size_t at = hash(text, n) & (v->n_slots - 1);
    for (int i = 0; i < MAX_PROBES; i++, at = (at + 1) & (v->n_slots - 1))
        if (v->slot[at] < 0 || sv_span_is(v->text[v->slot[at]], text, n))
            return at;
    return v->n_slots;
}

int32_t sv_vocab_find(const sv_vocab *v, const char *text, size_t n)
{
    size_t at = n && n <= v->longest ? place(v, text, n) : v->n_slots;
    return at < v->n_slots ? v->slot[at] : -1;
}

/* Puts all texts in the table. A text that is there already keeps its first
 * id; a file made so that all texts meet in one place is refused. */
static svlm_status fill_slots(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    int n_double = 0, n_empty = 0;
    v->n_slots = 4;
    while (v->n_slots < (size_t)v->n * 2)
        v->n_slots *= 2;
    v->slot = sv_malloc(SV_MEM_MODEL, v->n_slots, sizeof *v->slot);
    if (!v->slot)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu texts", v->n_slots);
    memset(v->slot, 0xff, v->n_slots * sizeof *v->slot);
    for (int32_t id = 0; id < v->n; id++) {
        sv_span t = v->text[id];
        if (!t.n) {
            n_empty++;
            continue;
        }
        size_t at = place(v, t.p, t.n);
        if (at == v->n_slots)
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

/* User-defined tokens are read in the user's text too, as the reference does,
 * but for those that look like marks of a template: what a user types must
 * never end a turn or begin one. */
static int anyone_may_write(const sv_vocab *v, int32_t id)
{
    sv_span t = v->text[id];
    return v->kind[id] == SV_TOKEN_USER && !(t.p[0] == '<' && t.p[t.n - 1] == '>') &&
           !(t.p[0] == '[' && t.p[t.n - 1] == ']');
}

int32_t sv_vocab_word(const sv_vocab *v, const char *text, size_t n)
{
    int32_t id = sv_vocab_find(v, text, n);
    if (id < 0)
        return -1;
    int is_plain = v->kind[id] == SV_TOKEN_NORMAL || v->kind[id] == SV_TOKEN_UNDEFINED;
    return is_plain || anyone_may_write(v, id) ? id : -1;
}

/* ---- special tokens ------------------------------------------------------- */

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

svlm_status sv_vocab_index(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    svlm_status st = fill_slots(v, g, log, err);
    return st ? st : sort_special(v, err);
}
