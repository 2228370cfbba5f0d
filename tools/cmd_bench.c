/* SPDX-License-Identifier: MIT */
/* sparsevlm bench: encode, prefill, decode and memory, with and without pruning. All
 * settings take turns in every round, so that a machine that slows down slows all. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cli.h"
#include "cmds.h"

enum { DEFAULT_TOKENS = 640, DEFAULT_REPEAT = 5, DEFAULT_DECODE = 32, MAX_SETTINGS = 8,
       MAX_TEXT = 64 };

typedef struct setting { char name[24]; double retain; } setting;     /* 0: no pruning */

/* What one number of tokens under one setting gave, [n] rounds each. */
typedef struct series {
    int tokens;
    const setting *setting;
    svlm_features *picture;
    double *prefill, *decode;     /* seconds; tokens a second */
    int n;
    double visual_average, macs, kv_bytes, chat_bytes;
} series;

typedef struct bench {
    cli_options o;
    svlm_model *model;
    svlm_model_info info;
    setting settings[MAX_SETTINGS];
    int n_settings, n_repeat, n_decode;
    series *series;
    int n_series;
    double *encode;               /* [n_repeat] seconds, or NULL without vision */
} bench;

/* ---- what is measured ------------------------------------------------------ */

static int read_settings(bench *b)
{
    const char *text = b->o.settings ? b->o.settings : "none,192";
    char *end = NULL;
    for (; *text; text = *end ? end + 1 : end) {
        setting *s = &b->settings[b->n_settings];
        size_t n = strcspn(text, ",");
        if (b->n_settings++ == MAX_SETTINGS || n >= sizeof s->name)
            return cli_usage(b->o.command, "--settings: at most %d, none or a number each",
                             MAX_SETTINGS);
        snprintf(s->name, sizeof s->name, "%.*s", (int)n, text);
        s->retain = strtod(text, &end);
        if (!strcmp(s->name, "none"))
            end = (char *)(uintptr_t)text + 4;
        else if (end != text + n || !(s->retain > 0))
            return cli_usage(b->o.command, "--settings: \"%s\" is neither none nor a number",
                             s->name);
    }
    return CLI_OK;
}

/* A picture of n_rows rows without one: the arithmetic does not mind. */
static int make_picture(svlm_features **out, bench *b, int n_rows)
{
    svlm_error err;
    sv_rng rng = { b->o.seed };
    size_t n = (size_t)n_rows * (size_t)b->info.n_embd;
    float *rows = malloc(n * sizeof *rows);
    if (!rows) {
        cli_note("no memory for a picture of %d rows", n_rows);
        return CLI_FAILED;
    }
    for (size_t i = 0; i < n; i++)
        rows[i] = 0.05f * (float)sv_rng_normal(&rng);
    svlm_status st = svlm_features_from_rows(out, b->model, rows, n_rows, &err);
    free(rows);
    return st ? cli_fail(&err) : CLI_OK;
}

/* Half of a short prompt is text, at most MAX_TEXT tokens of a longer one. */
static int n_text(int tokens)
{
    return tokens / 2 < MAX_TEXT ? tokens / 2 : MAX_TEXT;
}

static int plan(bench *b)
{
    static const cli_list usual = { 1, { DEFAULT_TOKENS } };
    const cli_list *tokens = b->o.tokens.n ? &b->o.tokens : &usual;
    int rc = CLI_OK;
    b->n_repeat = b->o.repeat ? b->o.repeat : DEFAULT_REPEAT;
    b->n_decode = b->o.n_predict > 0 ? b->o.n_predict : DEFAULT_DECODE;
    b->series = calloc((size_t)(tokens->n * b->n_settings), sizeof *b->series);
    for (int i = 0; b->series && i < tokens->n; i++)
        for (int k = 0; k < b->n_settings && !rc; k++) {
            series *s = &b->series[b->n_series++];
            s->tokens = tokens->value[i];
            s->setting = &b->settings[k];
            s->prefill = calloc((size_t)b->n_repeat, sizeof *s->prefill);
            s->decode = calloc((size_t)b->n_repeat, sizeof *s->decode);
            if (!s->prefill || !s->decode)
                break;
            if ((rc = make_picture(&s->picture, b, s->tokens - n_text(s->tokens))))
                return rc;
        }
    if (b->n_series == tokens->n * b->n_settings)
        return rc;
    cli_note("no memory for the results");
    return CLI_FAILED;
}

/* ---- measuring ------------------------------------------------------------- */

static svlm_status add_prompt(svlm_chat *chat, const series *s, svlm_error *err)
{
    int32_t ids[MAX_TEXT];
    const int n = n_text(s->tokens), before = n / 2;
    svlm_status st;
    for (int i = 0; i < n; i++)
        ids[i] = 3 + i;           /* behind <unk>, <s>, </s> in every vocabulary we run */
    if ((st = svlm_chat_add_tokens(chat, ids, (size_t)before, err)) ||
        (st = svlm_chat_add_features(chat, s->picture, err)))
        return st;
    return svlm_chat_add_tokens(chat, ids + before, (size_t)(n - before), err);
}

/* Reads the answer, and asks for more where the model ends it before n_decode tokens:
 * nothing but the time matters. */
static int time_decode(bench *b, svlm_chat *chat, double *rate)
{
    const int32_t go_on = 3;
    const char *piece;
    size_t n_bytes;
    svlm_error err;
    svlm_status st = SVLM_OK;
    svlm_chat_stats s;
    double seconds = 0;
    int n = 0;
    SVLM_INIT(&s);
    for (int asked = 1; n < b->n_decode && asked <= b->n_decode; asked++) {
        if (asked > 1 && ((st = svlm_chat_add_tokens(chat, &go_on, 1, &err)) ||
                          (st = svlm_chat_ask(chat, &err))))
            return cli_fail(&err);
        while ((st = svlm_chat_next(chat, &piece, &n_bytes, &err)) == SVLM_OK)
            if (cli_interrupted())
                return CLI_INTERRUPTED;
        if (st < 0)
            return cli_fail(&err);
        svlm_chat_get_stats(chat, &s);
        seconds += s.decode_seconds;
        n += s.n_generated < b->n_decode ? s.n_generated : s.n_generated - 1;   /* evaluated */
        if (s.n_generated >= b->n_decode)
            break;
    }
    *rate = seconds > 0 ? n / seconds : 0;
    return CLI_OK;
}

static int start_chat(svlm_chat **chat, bench *b, series *s)
{
    svlm_chat_options co;
    svlm_hook hook = { 0 };
    svlm_error err;
    uint64_t n_bytes;
    cli_options o = b->o;
    o.retain = s->setting->retain;
    if (o.retain <= 0)
        o.prune = "none";
    int rc = cli_make_hook(&hook, &o);
    if (rc)
        return rc;
    cli_chat_options(&co, &o, &hook);
    co.n_ctx = s->tokens + 3 * b->n_decode;     /* time_decode goes on at most so far */
    co.max_tokens = b->n_decode;
    co.reuse_bytes = 1;           /* none: every round is to do all the work */
    if (svlm_chat_cost(b->model, &co, &n_bytes, &err) ||
        svlm_chat_new(chat, b->model, &co, &err)) {
        if (hook.destroy)
            hook.destroy(hook.user);
        return cli_fail(&err);
    }
    s->chat_bytes = (double)n_bytes;
    return CLI_OK;
}

/* One measurement; the first of each series, round -1, only warms up. */
static int measure(bench *b, series *s, int round)
{
    svlm_chat *chat = NULL;
    svlm_chat_stats stats;
    svlm_error err;
    double rate = 0;
    int rc = start_chat(&chat, b, s);
    if (rc)
        return rc;
    double start = sv_seconds();
    if (add_prompt(chat, s, &err) || svlm_chat_ask(chat, &err))
        rc = cli_fail(&err);
    double prefill = sv_seconds() - start;
    SVLM_INIT(&stats);
    svlm_chat_get_stats(chat, &stats);
    if (!rc && !(rc = time_decode(b, chat, &rate)) && round >= 0) {
        s->prefill[round] = prefill;
        s->decode[round] = rate;
        s->n = round + 1;
        s->visual_average = stats.visual_average;
        s->macs = stats.macs;
        s->kv_bytes = (double)stats.kv_bytes;
    }
    svlm_chat_free(chat);
    cli_progress_clear();
    return rc;
}

static int time_encode(bench *b)
{
    const int side = b->info.image_size;
    svlm_error err;
    svlm_image *image = NULL;
    sv_rng rng = { b->o.seed };
    if (!b->info.has_vision)
        return CLI_OK;
    size_t n = (size_t)side * (size_t)side * 3;
    uint8_t *rgb = malloc(n);
    b->encode = calloc((size_t)b->n_repeat, sizeof *b->encode);
    for (size_t i = 0; rgb && i < n; i++)
        rgb[i] = (uint8_t)sv_rng_below(&rng, 256);
    int rc = CLI_OK;
    if (!rgb || !b->encode)
        rc = CLI_FAILED;
    else if (svlm_image_from_rgb(&image, rgb, side, side, 3 * (size_t)side, &err))
        rc = cli_fail(&err);
    for (int i = -1; i < b->n_repeat && !rc; i++) {
        cli_pictures p = { 0 };
        if (!(rc = cli_add_image(&p, b->model, &b->o, image, 0)) && i >= 0)
            b->encode[i] = p.encode_seconds;
        cli_pictures_free(&p);
    }
    svlm_image_close(image);
    free(rgb);
    return rc;
}

static int measure_all(bench *b)
{
    int rc = time_encode(b);
    for (int round = -1; round < b->n_repeat && !rc; round++)
        for (int i = 0; i < b->n_series && !rc; i++)
            rc = measure(b, &b->series[i], round);
    return rc;
}

/* ---- reporting ------------------------------------------------------------- */

typedef struct spread { double median, low, high; } spread;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static spread spread_of(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_size);
    return (spread) { (x[(n - 1) / 2] + x[n / 2]) / 2, x[0], x[n - 1] };
}

static double peak_bytes(void)
{
    struct rusage ru;
    return getrusage(RUSAGE_SELF, &ru) ? 0 : (double)ru.ru_maxrss * 1024;
}

static void print_table(bench *b)
{
    printf("%s (%s), %s\n", b->info.name, b->info.description, svlm_isa());
    if (b->encode) {
        spread e = spread_of(b->encode, b->n_repeat);
        printf("encode one picture of %d x %d: %.4f s (%.4f to %.4f)\n", b->info.image_size,
               b->info.image_size, e.median, e.low, e.high);
    }
    printf("%6s %8s %8s  %-27s %8s  %-22s %9s\n", "tokens", "setting", "visual", "prefill s",
           "tokens/s", "decode tokens/s", "cache MB");
    for (int i = 0; i < b->n_series; i++) {
        series *s = &b->series[i];
        spread p = spread_of(s->prefill, s->n), d = spread_of(s->decode, s->n);
        printf("%6d %8s %8.1f  %8.4f (%.4f to %.4f) %8.1f  %6.2f (%.2f to %.2f) %9.2f\n", s->tokens,
               s->setting->name, s->visual_average, p.median, p.low, p.high, s->tokens / p.median,
               d.median, d.low, d.high, s->kv_bytes / 1e6);
    }
    printf("peak memory %.1f MB, of which up to %.1f MB are mapped files\n", peak_bytes() / 1e6,
           (double)b->info.n_file_bytes / 1e6);
}

static json_t *json_spread(spread s)
{
    return json_pack("{s:f, s:f, s:f}", "median", s.median, "low", s.low, "high", s.high);
}

static int print_json(bench *b)
{
    json_t *rows = json_array();
    for (int i = 0; i < b->n_series; i++) {
        series *s = &b->series[i];
        json_array_append_new(rows, json_pack(
            "{s:i, s:s, s:f, s:o, s:o, s:f, s:f, s:f}", "tokens", s->tokens, "setting",
            s->setting->name, "visual_average", s->visual_average, "prefill_seconds",
            json_spread(spread_of(s->prefill, s->n)), "decode_rate",
            json_spread(spread_of(s->decode, s->n)), "macs", s->macs, "kv_bytes", s->kv_bytes,
            "chat_bytes", s->chat_bytes));
    }
    json_t *j = json_pack("{s:o, s:s, s:s, s:i, s:o, s:f, s:I}", "name",
                          cli_json_text(b->info.name, strlen(b->info.name)), "description",
                          b->info.description, "isa", svlm_isa(), "rounds", b->n_repeat, "rows",
                          rows, "peak_bytes", peak_bytes(), "file_bytes",
                          (json_int_t)b->info.n_file_bytes);
    if (b->encode)
        json_object_set_new(j, "encode_seconds", json_spread(spread_of(b->encode, b->n_repeat)));
    return cli_json_print(j);
}

static int run(bench *b)
{
    int rc;
    if (b->o.n_words)
        return cli_usage(b->o.command, "what is \"%s\"?", b->o.words[0]);
    if ((rc = read_settings(b)) || (rc = cli_open_model(&b->model, &b->o)))
        return rc;
    SVLM_INIT(&b->info);
    svlm_model_get_info(b->model, &b->info);
    if ((rc = plan(b)) || (rc = measure_all(b)))
        return rc;
    if (b->o.json)
        return print_json(b);
    print_table(b);
    return CLI_OK;
}

int cmd_bench(int argc, char **argv)
{
    bench b = { 0 };
    int rc;
    if (cli_parse(&b.o, CLI_BENCH, argc, argv, &rc))
        rc = run(&b);
    for (int i = 0; i < b.n_series; i++) {
        svlm_features_close(b.series[i].picture);
        free(b.series[i].prefill);
        free(b.series[i].decode);
    }
    free(b.series);
    free(b.encode);
    svlm_model_close(b.model);
    cli_options_free(&b.o);
    return rc;
}
