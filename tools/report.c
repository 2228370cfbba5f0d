/* SPDX-License-Identifier: MIT */
/* What the program shows: progress on a terminal, answers, pruning, times. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli.h"

/* ---- progress and log ------------------------------------------------------ */

static int bar_shown;
static int frame_shown, n_frames_shown;

void cli_bar(const char *what, int done, int total)
{
    enum { WIDTH = 30 };
    if (!isatty(STDERR_FILENO) || total < 1)
        return;
    int n = (int)((int64_t)done * WIDTH / total);
    fprintf(stderr, "\r%-8s [%.*s%*s]", what, n, "##############################", WIDTH - n, "");
    bar_shown = 1;
}

int cli_progress(void *user, svlm_stage stage, int done, int total)
{
    static const char *const names[] = { "", "loading", "looking", "reading" };
    char what[32];
    (void)user;
    snprintf(what, sizeof what, "%d of %d", frame_shown, n_frames_shown);
    cli_bar(stage == SVLM_STAGE_ENCODE && frame_shown ? what : names[stage], done, total);
    return cli_interrupted();
}

void cli_progress_frame(int frame, int n_frames)
{
    frame_shown = frame;
    n_frames_shown = n_frames;
}

void cli_progress_clear(void)
{
    if (bar_shown)
        fputs("\r\033[K", stderr);
    bar_shown = 0;
}

void cli_log(void *user, svlm_log_level level, const char *line)
{
    const cli_options *o = user;
    if (level > SVLM_LOG_WARNING && !o->verbose)
        return;
    cli_progress_clear();
    cli_note("%s%s", level == SVLM_LOG_WARNING ? "warning: " : "", line);
}

/* ---- output ---------------------------------------------------------------- */

/* Bytes of one character that a terminal should not be told by a model: escape
 * sequences start with them. 0: it is harmless. */
static size_t control(const uint8_t *s, size_t n)
{
    if ((*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f)
        return 1;
    return n > 1 && s[0] == 0xc2 && s[1] < 0xa0 ? 2 : 0;
}

static void write_tame(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t skip = control(s + i, n - i);
        putchar(skip ? '?' : s[i]);
        i += skip ? skip : 1;
    }
}

int cli_write(const char *text, size_t n)
{
    if (isatty(STDOUT_FILENO))
        write_tame((const uint8_t *)text, n);
    else
        fwrite(text, 1, n, stdout);
    return fflush(stdout) || ferror(stdout) ? -1 : 0;
}

int cli_append(cli_text *text, const char *piece, size_t n)
{
    if (text->n + n + 1 > text->cap) {
        size_t cap = 2 * (text->n + n + 1);
        char *more = realloc(text->p, cap);
        if (!more)
            return -1;
        text->p = more;
        text->cap = cap;
    }
    memcpy(text->p + text->n, piece, n);
    text->n += n;
    text->p[text->n] = 0;
    return 0;
}

json_t *cli_json_text(const char *text, size_t n)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *fixed = malloc(3 * n + 1);
    size_t used = 0;
    if (!fixed)
        return NULL;
    for (size_t i = 0; i < n;) {
        uint32_t code;
        int len = sv_utf8_decode((const uint8_t *)text + i, n - i, &code);
        size_t n_copy = len ? (size_t)len : 3;
        memcpy(fixed + used, len ? text + i : replacement, n_copy);
        used += n_copy;
        i += len ? (size_t)len : 1;
    }
    json_t *s = json_stringn(fixed, used);
    free(fixed);
    return s;
}

int cli_json_print(json_t *object)
{
    int bad = !object || json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
    json_decref(object);
    if (bad) {
        cli_note("cannot write the output");
        return CLI_FAILED;
    }
    putchar('\n');
    return CLI_OK;
}

/* ---- pruning and times ----------------------------------------------------- */

void cli_print_pruning(const svlm_chat_stats *s, const cli_options *o)
{
    if (s->n_visual && strcmp(cli_prune_name(o), "none"))
        cli_note("pruning: %.0f of %d visual tokens on average over the layers (%s; --prune none "
                 "keeps all)", s->visual_average, s->n_visual, cli_prune_name(o));
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 100;
}

/* NULL: not known. */
static const cli_picture *picture_of(const cli_pictures *p, const svlm_visual_span *span)
{
    return span->image < p->n ? &p->picture[span->image] : NULL;
}

/* One line a picture, or a grid of its tiles: how many of its rows enter the layers. */
static void print_span(const svlm_visual_span *span, const cli_pictures *p, int n_layers)
{
    const cli_picture *picture = picture_of(p, span);
    fprintf(stderr, "  %3d", span->image + 1);
    if (picture && picture->seconds >= 0)
        fprintf(stderr, " at %.2f s", picture->seconds);
    fprintf(stderr, span->tile < 0 ? " merged:" : span->tile ? " tiles:" : ":");
    for (int i = 0; i <= n_layers; i++)
        if (!i || span->rows_in[i] != span->rows_in[i - 1])
            fprintf(stderr, i ? ", %d from layer %d" : " %d", (int)span->rows_in[i], i);
    fputc('\n', stderr);
}

/* Of one picture without tiles the line of all visual rows says it. */
static void print_spans(const svlm_chat_stats *s, const cli_pictures *p)
{
    if (s->n_spans < 3)
        return;
    fprintf(stderr, "pictures  visual rows entering, by picture and frame:\n");
    for (int i = 0; i < s->n_spans; i++) {
        int most = 0;
        for (int l = 0; l <= s->n_layers; l++)
            most |= s->spans[i].rows_in[l];
        if (most || s->spans[i].tile >= 0)
            print_span(&s->spans[i], p, s->n_layers);
    }
}

void cli_print_stats(const svlm_chat_stats *s, const cli_pictures *p, const cli_options *o,
                     const cli_times *t)
{
    fprintf(stderr, "prompt    %d rows, %d of them visual", s->n_prompt, s->n_visual);
    if (s->n_reused)
        fprintf(stderr, "; %d reused from an earlier question", s->n_reused);
    fprintf(stderr, "\npruning   %s; visual rows entering each layer:", cli_prune_name(o));
    for (int i = 0; i < s->n_layers; i++)
        fprintf(stderr, " %d", (int)s->visual_in[i]);
    fprintf(stderr, "\n          %.1f on average (%.1f counted after each layer)\n",
            s->visual_average, s->visual_average_after);
    print_spans(s, p);
    fprintf(stderr, "work      %.2f G multiply-adds in prefill, %.0f %% of those without pruning\n",
            s->macs / 1e9, percent(s->macs, s->macs_unpruned));
    fprintf(stderr, "cache     %.2f MB, %.0f %% of that without pruning\n",
            (double)s->kv_bytes / 1e6, percent((double)s->kv_bytes, (double)s->kv_bytes_unpruned));
    fprintf(stderr, "time      load %.3f, picture %.3f, encode %.3f, prefill %.3f (pruning %.3f), "
            "decode %.3f s\n", t->load, t->read, t->encode, s->prefill_seconds, s->hook_seconds,
            s->decode_seconds);
    fprintf(stderr, "answer    %d tokens", s->n_generated);
    if (s->n_generated > 1 && s->decode_seconds > 0)
        fprintf(stderr, ", %.1f a second", (s->n_generated - 1) / s->decode_seconds);
    fprintf(stderr, "; first word after %.3f s\n", t->first_word);
}

static json_t *int_list(const int32_t *list, int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(a, json_integer(list[i]));
    return a;
}

static json_t *json_spans(const svlm_chat_stats *s, const cli_pictures *p)
{
    json_t *a = json_array();
    for (int i = 0; i < s->n_spans; i++) {
        const svlm_visual_span *span = &s->spans[i];
        const cli_picture *picture = picture_of(p, span);
        json_t *object = json_pack("{s:i, s:i, s:i, s:o}", "image", span->image, "tile",
                                   span->tile, "n_rows", span->n_rows, "rows_in",
                                   int_list(span->rows_in, s->n_layers + 1));
        if (picture && picture->name)
            json_object_set_new(object, "file", cli_json_text(picture->name,
                                                              strlen(picture->name)));
        if (picture && picture->seconds >= 0)
            json_object_set_new(object, "seconds", json_real(picture->seconds));
        json_array_append_new(a, object);
    }
    return a;
}

json_t *cli_json_stats(const svlm_chat_stats *s, const cli_pictures *p, const cli_options *o,
                       const cli_times *t)
{
    return json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:I, s:I,"
        " s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f}}",
        "prune", cli_prune_name(o), "n_prompt", s->n_prompt, "n_visual", s->n_visual,
        "n_reused", s->n_reused, "n_generated", s->n_generated,
        "visual_in", int_list(s->visual_in, s->n_layers),
        "rows_in", int_list(s->rows_in, s->n_layers), "cached", int_list(s->cached, s->n_layers),
        "spans", json_spans(s, p),
        "visual_average", s->visual_average, "visual_average_after", s->visual_average_after,
        "macs", s->macs, "macs_unpruned", s->macs_unpruned,
        "kv_bytes", (json_int_t)s->kv_bytes, "kv_bytes_unpruned", (json_int_t)s->kv_bytes_unpruned,
        "reuse_bytes", (json_int_t)s->reuse_bytes,
        "seconds", "load", t->load, "picture", t->read, "encode", t->encode, "prefill",
        s->prefill_seconds, "pruning", s->hook_seconds, "decode", s->decode_seconds, "first_word",
        t->first_word);
}
