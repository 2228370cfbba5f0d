/* SPDX-License-Identifier: MIT */
/* Byte-level BPE: text is cut into pieces, and within a piece bytes merge by
 * the rank of a rule (FORMATS.md, section 5.3). */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "gguf/gguf_read.h"
#include "text/vocab.h"

enum { MAX_RULES = 1 << 21, MAX_PROBES = 1024 };

/* ---- rules ---------------------------------------------------------------- */

/* The place of a rule in the table, or the free one where it would be; n_rules
 * when neither is near. */
static size_t place(const sv_vocab *v, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h >> 32) & (v->n_rules - 1);
    for (int i = 0; i < MAX_PROBES; i++, at = (at + 1) & (v->n_rules - 1)) {
        const sv_rule *r = &v->rule[at];
        if (r->rank == UINT32_MAX || (r->left == left && r->right == right))
            return at;
    }
    return v->n_rules;
}

const sv_rule *sv_vocab_rule(const sv_vocab *v, int32_t left, int32_t right)
{
    size_t at = place(v, left, right);
    return at < v->n_rules && v->rule[at].rank != UINT32_MAX ? &v->rule[at] : NULL;
}

/* Reads "left right"; 0 when it is malformed or names texts that are no tokens. */
static int parse_rule(const sv_vocab *v, sv_span s, sv_rule *r)
{
    char whole[2 * SV_TOKEN_MAX_BYTES];
    const char *blank = s.n > 2 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
    if (!blank || s.n - 1 > sizeof whole)
        return 0;
    size_t n_left = (size_t)(blank - s.p), n_right = s.n - n_left - 1;
    memcpy(whole, s.p, n_left);
    memcpy(whole + n_left, blank + 1, n_right);
    r->left = sv_vocab_word(v, s.p, n_left);
    r->right = sv_vocab_word(v, blank + 1, n_right);
    r->id = sv_vocab_word(v, whole, n_left + n_right);
    return r->left >= 0 && r->right >= 0 && r->id >= 0;
}

static svlm_status fill_rules(sv_vocab *v, const sv_gguf *g, const sv_gguf_array *a,
                              const sv_log *log, svlm_error *err)
{
    int n_bad = 0;
    const uint8_t *from = a->data;
    for (uint64_t i = 0; i < a->n; i++) {
        sv_rule r = { .rank = (uint32_t)i };
        if (!parse_rule(v, sv_gguf_next_string(a, &from), &r)) {
            n_bad++;
            continue;
        }
        size_t at = place(v, r.left, r.right);
        if (at == v->n_rules)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the merges of the vocabulary were made to "
                           "collide", g->map->path);
        if (v->rule[at].rank == UINT32_MAX)      /* of two the first counts */
            v->rule[at] = r;
    }
    if (n_bad)
        sv_logf(log, SVLM_LOG_WARNING, "%s: %d merges are malformed or name unknown tokens; "
                "ignored", g->map->path, n_bad);
    return SVLM_OK;
}

svlm_status sv_vocab_load_rules(sv_vocab *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    sv_gguf_array a = { 0 };
    svlm_status st = sv_gguf_opt_array(g, "tokenizer.ggml.merges", &a, err);
    if (st)
        return st;
    if (!a.data || a.type != SV_GGUF_STR || a.n > MAX_RULES)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: tokenizer.ggml.merges must be at most %d "
                       "strings", g->map->path, MAX_RULES);
    v->n_rules = 4;
    while (v->n_rules < a.n * 2)
        v->n_rules *= 2;
    v->rule = sv_malloc(SV_MEM_MODEL, v->n_rules, sizeof *v->rule);
    if (!v->rule)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu merges", v->n_rules);
    memset(v->rule, 0xff, v->n_rules * sizeof *v->rule);
    return fill_rules(v, g, &a, log, err);
}

/* ---- pieces --------------------------------------------------------------- */

static int pair(const void *ctx, const sv_merger *m, const sv_symbol *left,
                const sv_symbol *right, uint32_t *order, int32_t *id)
{
    (void)m;
    const sv_rule *r = left->id >= 0 && right->id >= 0 ? sv_vocab_rule(ctx, left->id, right->id)
                                                        : NULL;
    if (!r)
        return 0;
    *order = r->rank;
    *id = r->id;
    return 1;
}

/* The token that is the whole piece, or -1. */
static int32_t whole(const sv_vocab *v, const char *piece, size_t n)
{
    char mapped[SV_TOKEN_MAX_BYTES + 4];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t utf8[4];
        int len = sv_utf8_encode(sv_byte_to_char((uint8_t)piece[i]), utf8);
        if (k + (size_t)len > v->longest)
            return -1;
        memcpy(mapped + k, utf8, (size_t)len);
        k += (size_t)len;
    }
    return sv_vocab_word(v, mapped, k);
}

static svlm_status merge_piece(const sv_vocab *v, const sv_run *r, size_t from, size_t to,
                               sv_merger *m, sv_prompt *out, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    m->n_sym = 0;
    for (size_t i = from; !st && i < to; i++)
        st = sv_merger_add(m, i, v->byte_id[(uint8_t)r->text[i]], err);
    if (!st)
        st = sv_merge(m, to, pair, v, err);
    for (size_t i = 0; !st && i < m->n_sym; i = m->sym[i].next) {
        size_t a = m->sym[i].start, b = m->sym[m->sym[i].next].start;
        int32_t id = m->sym[i].id >= 0 ? m->sym[i].id : v->unk;
        if (id >= 0)
            st = sv_prompt_add(out, 0, id, sv_run_asks(r, a, b), err);
    }
    return st;
}

svlm_status sv_tokenize_bpe(const sv_vocab *v, const sv_run *r, sv_merger *m, sv_prompt *out,
                            svlm_error *err)
{
    svlm_status st = SVLM_OK;
    for (size_t i = 0; !st && i < r->n;) {
        size_t n = sv_pre_next(v->pre, r->text + i, r->n - i);
        int32_t id = v->pre->whole ? whole(v, r->text + i, n) : -1;
        if (id >= 0)
            st = sv_prompt_add(out, 0, id, sv_run_asks(r, i, i + n), err);
        else
            st = merge_piece(v, r, i, i + n, m, out, err);
        i += n;
    }
    return st;
}
