/* SPDX-License-Identifier: MIT */
/* Cutting text into the pieces within which byte-level BPE merges. The two
 * patterns of FORMATS.md, section 5.3, are written out by hand: each function
 * below is one alternative and returns the length it matches, or 0. */
#include <string.h>

#include "base/utf8.h"
#include "text/unicode.h"
#include "text/vocab.h"

static const sv_pre pres[] = {
    { .name = "default" }, { .name = "gpt-2" }, { .name = "phi-2" },
    { .name = "smollm", .digits = 1 }, { .name = "starcoder", .digits = 1 },
    { .name = "refact", .digits = 1 },
    { .name = "qwen2", .shape = SV_PRE_QWEN2, .digits = 1 },
    { .name = "qwen35", .shape = SV_PRE_QWEN2, .digits = 1, .marks = 1 },
    { .name = "llama-bpe", .shape = SV_PRE_QWEN2, .digits = 3, .whole = 1, .add_bos = 1 },
    { .name = "llama3", .shape = SV_PRE_QWEN2, .digits = 3, .whole = 1, .add_bos = 1 },
    { .name = "lfm2", .shape = SV_PRE_QWEN2, .digits = 3, .whole = 1, .add_bos = 1 },
    { .name = "pixtral", .shape = SV_PRE_QWEN2, .digits = 3, .whole = 1, .add_bos = 1 },
};

const sv_pre *sv_pre_find(sv_span name)
{
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (sv_span_is(name, pres[i].name, strlen(pres[i].name)))
            return &pres[i];
    return NULL;
}

uint32_t sv_byte_to_char(uint8_t b)
{
    if (b < 33)
        return 256u + b;
    if (b >= 127 && b <= 160)
        return 256u + 33 + (b - 127u);
    return b == 173 ? 256u + 67 : b;
}

int sv_char_to_byte(uint32_t c)
{
    if (c < 256)
        return sv_byte_to_char((uint8_t)c) == c ? (int)c : -1;
    c -= 256;
    return c < 33 ? (int)c : c < 67 ? (int)c - 33 + 127 : c == 67 ? 173 : -1;
}

/* ---- characters ----------------------------------------------------------- */

typedef struct text { const char *p; size_t n; const sv_pre *pre; } text;

enum { END = -1 };

/* Class of the character at i, and its length. Broken bytes are like signs. */
static int class_at(const text *t, size_t i, size_t *n)
{
    uint32_t code;
    *n = 0;
    if (i >= t->n)
        return END;
    *n = (size_t)sv_utf8_decode((const uint8_t *)t->p + i, t->n - i, &code);
    if (!*n) {
        *n = 1;
        return SV_CLASS_OTHER;
    }
    int c = (int)sv_unicode_class(code);
    if (c == SV_CLASS_MARK)
        return t->pre->marks ? SV_CLASS_LETTER : SV_CLASS_OTHER;
    return c;
}

/* Where the run of a class that begins at i ends; at most limit characters, 0: any number. */
static size_t run_end(const text *t, size_t i, int class, int limit)
{
    size_t n;
    for (int k = 0; (!limit || k < limit) && class_at(t, i, &n) == class; k += limit > 0)
        i += n;
    return i;
}

static int is_newline(const text *t, size_t i)
{
    return i < t->n && (t->p[i] == '\n' || t->p[i] == '\r');
}

/* ---- alternatives --------------------------------------------------------- */

/* 's 't 're 've 'm 'll 'd; letters of either case where any_case. */
static size_t contraction(const text *t, int any_case)
{
    static const char *const ends[] = { "s", "t", "re", "ve", "m", "ll", "d" };
    if (t->p[0] != '\'')
        return 0;
    for (int i = 0; i < 7; i++) {
        size_t n = strlen(ends[i]), k = 0;
        for (; k < n && k + 1 < t->n; k++) {
            char c = t->p[k + 1];
            if (any_case && c >= 'A' && c <= 'Z')
                c = (char)(c + 32);
            if (c != ends[i][k])
                break;
        }
        if (k == n)
            return n + 1;
    }
    return 0;
}

/* A run of a class, with one space in front if there is one. */
static size_t spaced_run(const text *t, int class)
{
    size_t from = t->p[0] == ' ', to = run_end(t, from, class, 0);
    return to > from ? to : 0;
}

/* Letters, with one character in front that is no line break and no number. */
static size_t word(const text *t)
{
    size_t n, next;
    int c = class_at(t, 0, &n);
    if (c == SV_CLASS_LETTER)
        return run_end(t, 0, SV_CLASS_LETTER, 0);
    if (c == SV_CLASS_NUMBER || is_newline(t, 0))
        return 0;
    return class_at(t, n, &next) == SV_CLASS_LETTER ? run_end(t, n, SV_CLASS_LETTER, 0) : 0;
}

/* White space up to the last line break in it. */
static size_t lines(const text *t)
{
    size_t last = 0, n;
    for (size_t i = 0; class_at(t, i, &n) == SV_CLASS_SPACE; i += n)
        if (is_newline(t, i))
            last = i + n;
    return last;
}

/* White space, but its last character when something follows: that one belongs to
 * what follows. A single one is matched all the same, by the pattern's last resort. */
static size_t blanks(const text *t)
{
    size_t i = 0, last = 0, n;
    int c;
    while ((c = class_at(t, i, &n)) == SV_CLASS_SPACE) {
        last = i;
        i += n;
    }
    /* With digits cut out beforehand a number is the end of the text. */
    int at_end = c == END ||
                 (c == SV_CLASS_NUMBER && t->pre->shape == SV_PRE_GPT2 && t->pre->digits);
    return at_end || !last ? i : last;
}

static size_t next_gpt2(const text *t)
{
    size_t n;
    if (t->pre->digits && (n = run_end(t, 0, SV_CLASS_NUMBER, t->pre->digits)))
        return n;
    if ((n = contraction(t, 0)) || (n = spaced_run(t, SV_CLASS_LETTER)) ||
        (!t->pre->digits && (n = spaced_run(t, SV_CLASS_NUMBER))) ||
        (n = spaced_run(t, SV_CLASS_OTHER)))
        return n;
    return blanks(t);
}

static size_t next_qwen2(const text *t)
{
    size_t n;
    if ((n = contraction(t, 1)) || (n = word(t)) ||
        (n = run_end(t, 0, SV_CLASS_NUMBER, t->pre->digits)))
        return n;
    if ((n = spaced_run(t, SV_CLASS_OTHER))) {
        while (is_newline(t, n))
            n++;
        return n;
    }
    return (n = lines(t)) ? n : blanks(t);
}

size_t sv_pre_next(const sv_pre *p, const char *s, size_t n)
{
    text t = { s, n, p };
    return p->shape == SV_PRE_GPT2 ? next_gpt2(&t) : next_qwen2(&t);
}
