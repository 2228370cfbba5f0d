/* SPDX-License-Identifier: MIT */
/* A user's turn as the model reads it: the template's text, pictures and the
 * user's words in order. What stands between two pictures is tokenized as one
 * text, as the reference does (FORMATS.md, section 5.2). */
#include <string.h>

#include "base/alloc.h"
#include "text/template.h"
#include "text/vocab.h"

svlm_status sv_prompt_add(sv_prompt *p, int is_image, int32_t id, int question, svlm_error *err)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 256;
        sv_prompt_item *item = sv_realloc(SV_MEM_CHAT, p->item, cap, sizeof *item);
        if (!item)
            return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a prompt of %zu tokens", cap);
        p->item = item;
        p->cap = cap;
    }
    p->item[p->n++] = (sv_prompt_item){ is_image, id, (uint8_t)question };
    return SVLM_OK;
}

void sv_prompt_free(sv_prompt *p)
{
    sv_free(p->item);
    memset(p, 0, sizeof *p);
}

/* Stretches of text collected until a picture comes. */
typedef struct builder {
    sv_prompt *p;
    const sv_vocab *v;
    sv_stretch *s;                /* [n_parts + TEMPLATE_STRETCHES] */
    size_t n;
} builder;

enum { TEMPLATE_STRETCHES = 8 };  /* system and user texts, a line break */

static void add(builder *b, const char *text)
{
    if (text && *text)
        b->s[b->n++] = (sv_stretch){ text, strlen(text), 1, 0 };
}

static svlm_status flush(builder *b, svlm_error *err)
{
    svlm_status st = sv_tokenize_stretches(b->v, b->s, b->n, b->p, err);
    b->n = 0;
    return st;
}

static void add_system(builder *b, const sv_template *t, const char *system)
{
    int own = !system;
    if (own)
        system = t->system;
    if (!system || !*system)
        return;
    add(b, t->system_before);
    b->s[b->n++] = (sv_stretch){ system, strlen(system), own, 0 };
    add(b, t->system_after);
}

/* What stands before the user's own parts. */
static svlm_status open_turn(builder *b, const sv_template *t, const char *system, int first,
                             svlm_error *err)
{
    svlm_status st = SVLM_OK;
    int32_t mark = first ? sv_vocab_bos(b->v) : sv_vocab_eos(b->v);
    if (mark >= 0 && (first ? sv_vocab_add_bos(b->v) : t->close_with_eos))
        st = sv_prompt_add(b->p, 0, mark, 0, err);
    if (!first)
        add(b, t->close);
    else if (!t->system_in_turn)
        add_system(b, t, system);
    add(b, t->user_before);
    if (first && t->system_in_turn)
        add_system(b, t, system);
    return st;
}

static svlm_status add_image(builder *b, svlm_error *err)
{
    svlm_status st = flush(b, err);
    return st ? st : sv_prompt_add(b->p, 1, -1, 0, err);
}

/* Pictures in front of all text are followed by a line break, as in training. */
static size_t n_leading_images(const sv_part *parts, size_t n)
{
    size_t k = 0;
    while (k < n && parts[k].is_image)
        k++;
    for (size_t i = k; i < n; i++)
        if (parts[i].is_image)
            return 0;
    return k;
}

svlm_status sv_prompt_turn(sv_prompt *p, const sv_template *t, const sv_vocab *v,
                           const char *system, int first, const sv_part *parts, size_t n_parts,
                           svlm_error *err)
{
    size_t n_before = p->n, n_leading = n_leading_images(parts, n_parts);
    builder b = { .p = p, .v = v };
    if (n_parts < SIZE_MAX - TEMPLATE_STRETCHES)
        b.s = sv_malloc(SV_MEM_TEMP, n_parts + TEMPLATE_STRETCHES, sizeof *b.s);
    if (!b.s)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a turn of %zu parts", n_parts);
    svlm_status st = open_turn(&b, t, system, first, err);
    for (size_t i = 0; !st && i < n_parts; i++) {
        if (parts[i].is_image)
            st = add_image(&b, err);
        else
            b.s[b.n++] = (sv_stretch){ parts[i].text, parts[i].n_bytes, 0, 1 };
        if (i + 1 == n_leading)
            add(&b, "\n");
    }
    if (!st) {
        add(&b, t->user_after);
        st = flush(&b, err);
    }
    if (st)
        p->n = n_before;
    sv_free(b.s);
    return st;
}
