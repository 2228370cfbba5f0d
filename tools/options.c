/* SPDX-License-Identifier: MIT */
/* Command line options: one table for all subcommands, with the names that users of
 * llama-mtmd-cli know. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli.h"
#include "help.h"

typedef enum kind { FLAG, COUNT, REAL, TEXT, LIST, SEED, IMAGE, VIDEO } kind;

typedef struct option_def {
    const char *name;
    char letter;                  /* 0: none */
    unsigned commands;            /* a sum of cli_command */
    kind kind;
    size_t offset;                /* in cli_options */
    double min, max;              /* COUNT, REAL, and the members of a LIST */
} option_def;

enum {
    ANSWER = CLI_ASK | CLI_CHAT | CLI_EVAL,             /* those that write text */
    PRUNE = ANSWER | CLI_EXPLAIN,
    ALL = ANSWER | CLI_INFO | CLI_BENCH | CLI_EXPLAIN,
    FILES = CLI_QUANTIZE | CLI_CONVERT
};

#define AT(field) offsetof(cli_options, field)

static const option_def defs[] = {
    { "model", 'm', ALL | CLI_QUANTIZE, TEXT, AT(model), 0, 0 },
    { "mmproj", 0, ALL | CLI_QUANTIZE, TEXT, AT(mmproj), 0, 0 },
    { "precise", 0, ALL, FLAG, AT(precise), 0, 0 },
    { "repack", 0, ALL, FLAG, AT(repack), 0, 0 },
    { "threads", 't', ALL | FILES, COUNT, AT(n_threads), 1, INT_MAX },
    { "verbose", 'v', ALL, FLAG, AT(verbose), 0, 0 },

    { "image", 0, CLI_ASK | CLI_CHAT | CLI_EXPLAIN | CLI_QUANTIZE, IMAGE, 0, 0, 0 },
    { "video", 0, CLI_ASK | CLI_CHAT, VIDEO, 0, 0, 0 },
    { "frames", 0, CLI_ASK | CLI_CHAT, COUNT, AT(frames), 1, 1024 },
    { "frame-times", 0, CLI_ASK | CLI_CHAT, FLAG, AT(frame_times), 0, 0 },
    { "fps", 0, CLI_ASK | CLI_CHAT, REAL, AT(fps), 1e-6, 1000 },
    { "start", 0, CLI_ASK | CLI_CHAT, REAL, AT(start), 0, 1e9 },
    { "end", 0, CLI_ASK | CLI_CHAT, REAL, AT(end), 0, 1e9 },
    { "prompt", 'p', CLI_ASK | CLI_EXPLAIN | CLI_QUANTIZE, TEXT, AT(prompt), 0, 0 },
    { "system", 0, PRUNE, TEXT, AT(system), 0, 0 },
    { "template", 0, PRUNE, TEXT, AT(template_name), 0, 0 },

    { "predict", 'n', ANSWER | CLI_BENCH, COUNT, AT(n_predict), -1, INT_MAX },
    { "ctx-size", 'c', ALL, COUNT, AT(n_ctx), 0, INT_MAX },
    { "kv-f32", 0, ALL, FLAG, AT(kv_f32), 0, 0 },
    { "reprune", 0, CLI_CHAT | CLI_INFO, FLAG, AT(reprune), 0, 0 },
    { "temp", 0, ANSWER, REAL, AT(temperature), 0, 1e6 },
    { "top-k", 0, ANSWER, COUNT, AT(top_k), 0, INT_MAX },
    { "top-p", 0, ANSWER, REAL, AT(top_p), 0, 1 },
    { "min-p", 0, ANSWER, REAL, AT(min_p), 0, 1 },
    { "repeat-penalty", 0, ANSWER, REAL, AT(repeat_penalty), 0, 1e6 },
    { "seed", 0, PRUNE | CLI_BENCH, SEED, AT(seed), 0, 0 },

    { "prune", 0, PRUNE | CLI_BENCH, TEXT, AT(prune), 0, 0 },
    { "retain", 0, PRUNE, REAL, AT(retain), 1e-3, 1e9 },
    { "prune-layers", 0, PRUNE, LIST, AT(prune_layers), 0, INT_MAX },
    { "keep", 0, PRUNE, LIST, AT(keep), 0, INT_MAX },
    { "positions", 0, PRUNE | CLI_BENCH, TEXT, AT(positions), 0, 0 },
    { "lambda", 0, PRUNE, REAL, AT(lambda), 0, 1 },
    { "scale", 0, PRUNE, REAL, AT(scale), -1e6, 1e6 },
    { "bias", 0, PRUNE, REAL, AT(bias), -1e6, 1e6 },
    { "energy", 0, PRUNE, REAL, AT(energy), 0, 1 },
    { "min-keep", 0, PRUNE, COUNT, AT(min_keep), 0, INT_MAX },
    { "max-keep", 0, PRUNE, COUNT, AT(max_keep), 0, INT_MAX },
    { "per-image", 0, PRUNE, FLAG, AT(per_image), 0, 0 },
    { "keep-separators", 0, PRUNE, FLAG, AT(keep_separators), 0, 0 },
    { "no-recycle", 0, PRUNE, FLAG, AT(no_recycle), 0, 0 },
    { "raters-question-only", 0, PRUNE, FLAG, AT(raters_question_only), 0, 0 },
    { "raters-between", 0, PRUNE, FLAG, AT(raters_between), 0, 0 },

    { "json", 0, ALL & ~CLI_CHAT, FLAG, AT(json), 0, 0 },
    { "stats", 0, CLI_ASK | CLI_CHAT, FLAG, AT(stats), 0, 0 },
    { "limit", 0, CLI_EVAL, COUNT, AT(limit), 1, INT_MAX },
    { "against-precise", 0, CLI_EVAL, FLAG, AT(against_precise), 0, 0 },
    { "tokens", 0, CLI_BENCH, LIST, AT(tokens), 1, 1 << 20 },
    { "settings", 0, CLI_BENCH, TEXT, AT(settings), 0, 0 },
    { "repeat", 0, CLI_BENCH, COUNT, AT(repeat), 1, 1000 },
    { "output", 'o', CLI_EXPLAIN | CLI_CONVERT, TEXT, AT(output), 0, 0 },
    { "verify", 0, CLI_QUANTIZE, FLAG, AT(verify), 0, 0 },
    { "type", 0, CLI_CONVERT, TEXT, AT(type), 0, 0 },
    { "tower", 0, CLI_CONVERT, TEXT, AT(tower), 0, 0 },
    { "vision", 0, CLI_CONVERT, TEXT, AT(vision), 0, 0 },
};

enum { N_DEFS = sizeof defs / sizeof *defs, HELP = N_DEFS };

/* ---- values ---------------------------------------------------------------- */

/* A whole number in text[0..) up to a character of ends; moves *text behind it. */
static int read_int(const char **text, const char *ends, const option_def *d, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(*text, &end, 10);
    if (end == *text || errno || !strchr(ends, *end) || (double)value < d->min ||
        (double)value > d->max)
        return 0;
    *out = (int)value;
    *text = end;
    return 1;
}

static int read_list(const char *text, const option_def *d, cli_list *list)
{
    for (list->n = 0; list->n < CLI_MAX_LIST; text++) {
        if (!read_int(&text, ",", d, &list->value[list->n]))
            return 0;
        list->n++;
        if (!*text)
            return 1;
    }
    return 0;
}

static int read_real(const char *text, const option_def *d, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && *out >= d->min && *out <= d->max;     /* NaN is neither */
}

static int read_seed(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return end != text && !*end && !errno && *text != '-';
}

static int bad_value(const cli_options *o, const option_def *d, const char *text)
{
    const char *sort = d->kind == LIST ? "a list such as 2,6,15" :
                       d->kind == SEED ? "a number of 64 bits" : NULL;
    if (sort)
        return cli_usage(o->command, "--%s \"%s\" is not %s", d->name, text, sort);
    if (d->max >= 1e6 && d->min >= -1)
        return cli_usage(o->command, "--%s \"%s\" is not a number from %g", d->name, text, d->min);
    return cli_usage(o->command, "--%s \"%s\" is not a number from %g to %g", d->name, text, d->min,
                     d->max);
}

/* CLI_OK or CLI_USAGE. */
static int store(cli_options *o, const option_def *d, const char *text)
{
    void *field = (char *)o + d->offset;
    const char *rest = text;
    int good = 1;
    switch (d->kind) {
    case FLAG:
        *(int *)field = 1;
        break;
    case COUNT:
        good = read_int(&rest, "", d, field);
        break;
    case REAL:
        good = read_real(text, d, field);
        break;
    case TEXT:
        *(const char **)field = text;
        break;
    case LIST:
        good = read_list(text, d, field);
        break;
    case SEED:
        good = read_seed(text, field);
        break;
    case IMAGE:
    case VIDEO:
        o->inputs[o->n_inputs++] = (cli_input) { text, d->kind == VIDEO };
        break;
    }
    return good ? CLI_OK : bad_value(o, d, text);
}

/* ---- the whole line -------------------------------------------------------- */

/* getopt's two tables for the options a subcommand knows. */
typedef struct tables {
    struct option longs[N_DEFS + 2];
    char shorts[3 * N_DEFS + 4];
} tables;

static void make_tables(tables *t, cli_command command)
{
    int n = 0, n_short = 0;
    memset(t, 0, sizeof *t);
    t->shorts[n_short++] = ':';
    t->shorts[n_short++] = 'h';
    for (int i = 0; i < N_DEFS; i++) {
        if (!(defs[i].commands & command))
            continue;
        int has_arg = defs[i].kind != FLAG;
        t->longs[n++] = (struct option) { defs[i].name, has_arg, NULL, 256 + i };
        if (defs[i].letter) {
            t->shorts[n_short++] = defs[i].letter;
            if (has_arg)
                t->shorts[n_short++] = ':';
        }
    }
    t->longs[n] = (struct option) { "help", no_argument, NULL, 256 + HELP };
}

static int def_of(int c)
{
    if (c >= 256)
        return c - 256;
    for (int i = 0; i < N_DEFS; i++)
        if (defs[i].letter == c)
            return i;
    return HELP;
}

/* llama-mtmd-cli's one option of three letters behind a single dash. */
static void rename_sys(int argc, char **argv)
{
    static char name[] = "--system";
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "-sys"))
            argv[i] = name;
}

/* Numbers that one method alone would read. */
static int check_rules(const cli_options *o)
{
    const struct { const char *name, *method; int given; } all[] = {
        { "lambda", "paper", o->lambda != 0 },     { "scale", "rank", o->scale != 0 },
        { "bias", "rank", o->bias != 0 },          { "energy", "energy", o->energy != 0 },
        { "min-keep", "energy", o->min_keep != 0 }, { "max-keep", "energy", o->max_keep != 0 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given && (!o->prune || strcmp(o->prune, all[i].method)))
            return cli_usage(o->command, "--%s goes with --prune %s", all[i].name, all[i].method);
    return CLI_OK;
}

static int check_together(const cli_options *o)
{
    const int n = o->prune_layers.n;
    if (o->keep.n != n)
        return cli_usage(o->command, "--prune-layers names %d layers, --keep %d counts: they "
                         "belong together", n, o->keep.n);
    if (n && o->retain > 0)
        return cli_usage(o->command, "--retain and --keep are two ways to say the same: give one");
    return check_rules(o);
}

static int parse_all(cli_options *o, cli_command command, int argc, char **argv, int *rc)
{
    tables t;
    make_tables(&t, command);
    rename_sys(argc, argv);
    opterr = 0;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1;) {
        const char *given = argv[optind - 1];
        if (c == '?')
            *rc = cli_usage(o->command, "unknown option %s", given);
        else if (c == ':')
            *rc = cli_usage(o->command, "%s needs a value", given);
        else if (def_of(c) == HELP)
            fputs(cli_help(command), stdout);
        else if (!(*rc = store(o, &defs[def_of(c)], optarg)))
            continue;
        return 0;
    }
    o->words = argv + optind;
    o->n_words = argc - optind;
    return !(*rc = check_together(o));
}

int cli_parse(cli_options *o, cli_command command, int argc, char **argv, int *rc)
{
    memset(o, 0, sizeof *o);
    o->command = argv[0];
    *rc = CLI_OK;
    if (!(o->inputs = calloc((size_t)argc + 1, sizeof *o->inputs))) {
        cli_note("no memory for the arguments");
        *rc = CLI_FAILED;
        return 0;
    }
    return parse_all(o, command, argc, argv, rc);
}

void cli_options_free(cli_options *o)
{
    free(o->inputs);
}

int cli_words_to_inputs(cli_options *o)
{
    struct stat st;
    int n = o->prompt ? o->n_words : o->n_words - 1;
    if (!o->prompt && o->n_words)
        o->prompt = o->words[o->n_words - 1];
    if (!o->prompt || (n == 0 && !o->n_inputs && !stat(o->prompt, &st)))
        return cli_usage(o->command, "what is the question? It comes after the picture");
    for (int i = 0; i < n; i++)
        o->inputs[o->n_inputs++] = (cli_input) { o->words[i], 0 };
    o->n_words = 0;
    return CLI_OK;
}
