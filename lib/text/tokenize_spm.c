/* SPDX-License-Identifier: MIT */
/* SentencePiece BPE: characters merge by the score of the token they form,
 * what forms none becomes bytes (FORMATS.md, section 5.2). */
#include "base/utf8.h"
#include "text/vocab.h"

typedef struct spm { const sv_vocab *v; const char *text; } spm;

static int pair(const void *ctx, const sv_merger *m, const sv_symbol *left,
                const sv_symbol *right, uint32_t *order, int32_t *id)
{
    const spm *s = ctx;
    *id = sv_vocab_word(s->v, s->text + left->start, m->sym[right->next].start - left->start);
    if (*id < 0)
        return 0;
    *order = s->v->order[*id];
    return 1;
}

static svlm_status add_characters(const sv_vocab *v, const sv_run *r, sv_merger *m,
                                  svlm_error *err)
{
    svlm_status st = SVLM_OK;
    m->n_sym = 0;
    for (size_t i = 0; !st && i < r->n;) {
        size_t n = (size_t)sv_utf8_announced((uint8_t)r->text[i]);
        if (n > r->n - i)
            n = r->n - i;
        st = sv_merger_add(m, i, sv_vocab_word(v, r->text + i, n), err);
        i += n;
    }
    return st;
}

static svlm_status add_bytes(const sv_vocab *v, const sv_run *r, size_t from, size_t to,
                             sv_prompt *out, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    for (size_t i = from; !st && i < to; i++) {
        int32_t id = v->byte_id[(uint8_t)r->text[i]];
        if (id < 0)
            id = v->unk;
        if (id >= 0)
            st = sv_prompt_add(out, 0, id, r->question[i], err);
    }
    return st;
}

svlm_status sv_tokenize_spm(const sv_vocab *v, const sv_run *r, sv_merger *m, sv_prompt *out,
                            svlm_error *err)
{
    spm s = { v, r->text };
    svlm_status st = add_characters(v, r, m, err);
    if (!st)
        st = sv_merge(m, r->n, pair, &s, err);
    for (size_t i = 0; !st && i < m->n_sym; i = m->sym[i].next) {
        size_t from = m->sym[i].start, to = m->sym[m->sym[i].next].start;
        if (m->sym[i].id >= 0)
            st = sv_prompt_add(out, 0, m->sym[i].id, sv_run_asks(r, from, to), err);
        else
            st = add_bytes(v, r, from, to, out, err);
    }
    return st;
}
