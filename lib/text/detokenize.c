/* SPDX-License-Identifier: MIT */
/* Ids to text, piece by piece: what is shown is always valid UTF-8, with
 * U+FFFD where the model wrote something else (FORMATS.md, section 5.2). */
#include <string.h>

#include "base/utf8.h"
#include "text/vocab.h"

void sv_detok_start(sv_detok *d, const sv_vocab *v)
{
    memset(d, 0, sizeof *d);
    d->v = v;
    d->at_start = 1;
}

size_t sv_detok_max(const sv_vocab *v)
{
    return v->longest * 3 + 16;   /* each byte of a text may become U+FFFD */
}

typedef struct sink { char *p; size_t n, cap; } sink;

static void show(sv_detok *d, sink *out, const void *text, size_t n)
{
    int skip = d->at_start && d->v->space_prefix && n == 1 && *(const char *)text == ' ';
    d->at_start = 0;
    if (skip || n > out->cap - out->n)
        return;
    memcpy(out->p + out->n, text, n);
    out->n += n;
}

/* One U+FFFD for each of the first n bytes held, as SentencePiece shows them. */
static void give_up(sv_detok *d, int n, sink *out)
{
    d->n_held = 0;
    for (int i = 0; i < n; i++)
        show(d, out, "\xef\xbf\xbd", 3);
}

/* Whether these bytes can be the beginning of a character: every rule of UTF-8
 * leaves the lowest or the highest continuation allowed. */
static int may_begin(const uint8_t *s, int n)
{
    uint8_t low[4] = { 0x80, 0x80, 0x80, 0x80 }, high[4] = { 0xbf, 0xbf, 0xbf, 0xbf };
    int whole = sv_utf8_announced(s[0]);
    uint32_t code;
    if (n >= whole)
        return 0;
    memcpy(low, s, (size_t)n);
    memcpy(high, s, (size_t)n);
    return sv_utf8_decode(low, (size_t)whole, &code) || sv_utf8_decode(high, (size_t)whole, &code);
}

static void push_byte(sv_detok *d, uint8_t byte, sink *out)
{
    uint32_t code;
    d->held[d->n_held++] = byte;
    if (may_begin(d->held, d->n_held))
        return;
    if (sv_utf8_decode(d->held, (size_t)d->n_held, &code)) {
        show(d, out, d->held, (size_t)d->n_held);
        d->n_held = 0;
        return;
    }
    if (d->n_held == 1) {
        give_up(d, 1, out);
    } else {                      /* the byte breaks off what was held, and begins anew */
        give_up(d, d->n_held - 1, out);
        push_byte(d, byte, out);
    }
}

/* SentencePiece writes a space as U+2581. */
static void push_word(sv_detok *d, sv_span t, sink *out)
{
    for (size_t i = 0; i < t.n;) {
        int is_space = t.n - i >= 3 && !memcmp(t.p + i, "\xe2\x96\x81", 3);
        push_byte(d, is_space ? ' ' : (uint8_t)t.p[i], out);
        i += is_space ? 3 : 1;
    }
}

/* Byte-level BPE writes every byte as a character. */
static void push_bytes(sv_detok *d, sv_span t, sink *out)
{
    for (size_t i = 0; i < t.n;) {
        uint32_t code;
        int n = sv_utf8_decode((const uint8_t *)t.p + i, t.n - i, &code);
        int byte = n ? sv_char_to_byte(code) : -1;
        if (byte >= 0)
            push_byte(d, (uint8_t)byte, out);
        for (int k = 0; byte < 0 && k < (n ? n : 1); k++)
            push_byte(d, (uint8_t)t.p[i + (size_t)k], out);
        i += n ? (size_t)n : 1;
    }
}

size_t sv_detok_push(sv_detok *d, int32_t id, char *out, size_t cap)
{
    sink s = { out, 0, cap };
    const sv_vocab *v = d->v;
    if (id < 0 || id >= v->n)
        return 0;
    sv_span t = v->text[id];
    switch (v->kind[id]) {
    case SV_TOKEN_CONTROL:
    case SV_TOKEN_UNKNOWN:
    case SV_TOKEN_UNUSED:
        break;
    case SV_TOKEN_BYTE:
        if (sv_vocab_byte(t) >= 0)
            push_byte(d, (uint8_t)sv_vocab_byte(t), &s);
        break;
    default:
        if (v->pre && v->kind[id] != SV_TOKEN_USER)
            push_bytes(d, t, &s);
        else
            push_word(d, t, &s);
    }
    return s.n;
}

size_t sv_detok_finish(sv_detok *d, char *out, size_t cap)
{
    sink s = { out, 0, cap };
    give_up(d, d->n_held, &s);
    return s.n;
}
