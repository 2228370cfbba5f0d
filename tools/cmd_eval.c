/* SPDX-License-Identifier: MIT */
/* sparsevlm eval: the questions of a folder, and how many answers are right. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "cmds.h"

enum { MAX_FAMILIES = 64, DEFAULT_TOKENS = 128 };

typedef struct tally { char name[64]; int n, right; } tally;

typedef struct eval {
    cli_options o;
    const char *folder;
    svlm_model *model;
    svlm_hook hook;
    int class_attention;
    svlm_chat *chat;
    cli_pictures picture;         /* the one last asked about */
    char *picture_name;
    tally families[MAX_FAMILIES];
    int n_families;
    double visual_sum, prefill_sum;
    cli_text answer;
} eval;

typedef struct question { const char *image, *family, *text, *answer; } question;

/* ---- asking ---------------------------------------------------------------- */

/* Questions about one picture follow each other, so its features are kept. */
static int look(eval *e, const char *name)
{
    if (e->picture_name && !strcmp(e->picture_name, name))
        return CLI_OK;
    cli_pictures_free(&e->picture);
    free(e->picture_name);
    size_t n = strlen(e->folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (!(e->picture_name = strdup(name)) || !path) {
        free(path);
        cli_note("no memory for a file name");
        return CLI_FAILED;
    }
    snprintf(path, n, "%s/%s", e->folder, name);
    int rc = cli_add_input(&e->picture, e->model, &e->o, (cli_input) { path, 0 },
                           e->class_attention);
    free(path);
    return rc;
}

static int read_answer(eval *e)
{
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;
    e->answer.n = 0;
    int rc = cli_append(&e->answer, "", 0) ? CLI_FAILED : CLI_OK;
    while (!rc && (st = svlm_chat_next(e->chat, &piece, &n, &err)) != SVLM_END) {
        if (st)
            return cli_fail(&err);
        if (cli_interrupted())
            return CLI_INTERRUPTED;
        rc = cli_append(&e->answer, piece, n) ? CLI_FAILED : CLI_OK;
    }
    if (rc)
        cli_note("no memory for an answer");
    return rc;
}

static int ask(eval *e, const question *q)
{
    svlm_chat_stats s;
    svlm_error err;
    int rc = look(e, q->image);
    if (rc)
        return rc;
    if (svlm_chat_reset(e->chat, &err))
        return cli_fail(&err);
    for (int i = 0; i < e->picture.n; i++)
        if (svlm_chat_add_features(e->chat, e->picture.features[i], &err))
            return cli_fail(&err);
    if (svlm_chat_add_text(e->chat, q->text, &err) || svlm_chat_ask(e->chat, &err))
        return cli_fail(&err);
    if ((rc = read_answer(e)))
        return rc;
    SVLM_INIT(&s);
    svlm_chat_get_stats(e->chat, &s);
    e->visual_sum += s.visual_average;
    e->prefill_sum += s.prefill_seconds;
    return CLI_OK;
}

/* ---- counting -------------------------------------------------------------- */

static tally *family(eval *e, const char *name)
{
    for (int i = 0; i < e->n_families; i++)
        if (!strncmp(e->families[i].name, name, sizeof e->families[i].name - 1))
            return &e->families[i];
    if (e->n_families == MAX_FAMILIES)
        return NULL;
    tally *t = &e->families[e->n_families++];
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static int count(eval *e, const question *q)
{
    tally *t = family(e, q->family);
    int right = !strcmp(e->answer.p, q->answer);
    if (!t) {
        cli_note("more than %d families of questions", MAX_FAMILIES);
        return CLI_FILE;
    }
    t->n++;
    t->right += right;
    if (e->o.verbose) {
        cli_progress_clear();
        fprintf(stderr, "%s %s: %s %s (%s)\n", right ? "right" : "WRONG", q->image, q->text,
                e->answer.p, q->answer);
    }
    return CLI_OK;
}

/* Wilson's interval for right of n, 95 %. */
static void wilson(const tally *t, double *low, double *high)
{
    const double z = 1.959964, n = t->n, p = t->right / n;
    const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = centre - half;
    *high = centre + half;
}

static tally sum(const eval *e, const char *name, const char *without)
{
    tally all = { 0 };
    snprintf(all.name, sizeof all.name, "%s", name);
    for (int i = 0; i < e->n_families; i++)
        if (strcmp(e->families[i].name, without)) {
            all.n += e->families[i].n;
            all.right += e->families[i].right;
        }
    return all;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tally *)a)->name, ((const tally *)b)->name);
}

/* ---- reporting ------------------------------------------------------------- */

static void print_row(const tally *t)
{
    double low, high;
    if (!t->n)
        return;
    wilson(t, &low, &high);
    printf("%-16s %5d   %5.1f %%   %5.1f to %5.1f\n", t->name, t->n, 100.0 * t->right / t->n,
           100 * low, 100 * high);
}

static json_t *json_row(const tally *t)
{
    double low = 0, high = 0;
    if (t->n)
        wilson(t, &low, &high);
    return json_pack("{s:o, s:i, s:i, s:f, s:f, s:f}", "family",
                     cli_json_text(t->name, strlen(t->name)), "n", t->n, "right", t->right,
                     "accuracy", t->n ? (double)t->right / t->n : 0, "low", low, "high", high);
}

/* Captions are right as a whole sentence or not at all, so the sum is given without
 * them as well. */
static int report(eval *e)
{
    const tally all = sum(e, "all", ""), brief = sum(e, "all but caption", "caption");
    const double n = all.n ? all.n : 1;
    qsort(e->families, (size_t)e->n_families, sizeof *e->families, by_name);
    if (!e->o.json) {
        printf("%-16s %5s   %7s   %s\n", "family", "n", "right", "95 % interval");
        for (int i = 0; i < e->n_families; i++)
            print_row(&e->families[i]);
        if (brief.n < all.n)
            print_row(&brief);
        print_row(&all);
        printf("pruning %s: %.1f visual tokens on average, prefill %.3f s\n",
               cli_prune_name(&e->o), e->visual_sum / n, e->prefill_sum / n);
        return CLI_OK;
    }
    json_t *rows = json_array();
    for (int i = 0; i < e->n_families; i++)
        json_array_append_new(rows, json_row(&e->families[i]));
    return cli_json_print(json_pack("{s:o, s:o, s:o, s:s, s:f, s:f}", "families", rows, "all",
                                    json_row(&all), "all_but_caption", json_row(&brief), "prune",
                                    cli_prune_name(&e->o), "visual_average", e->visual_sum / n,
                                    "prefill_seconds", e->prefill_sum / n));
}

/* ---- the folder ------------------------------------------------------------ */

static int ask_line(eval *e, const char *line, int number)
{
    json_error_t where;
    question q;
    json_t *j = json_loads(line, 0, &where);
    if (!j || json_unpack_ex(j, &where, 0, "{s:s, s:s, s:s, s:s}", "image", &q.image, "family",
                             &q.family, "question", &q.text, "answer", &q.answer)) {
        cli_note("%s/questions.jsonl, line %d: %s", e->folder, number, where.text);
        json_decref(j);
        return CLI_FILE;
    }
    int rc = ask(e, &q);
    if (!rc)
        rc = count(e, &q);
    json_decref(j);
    return rc;
}

static int ask_all(eval *e, FILE *f)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = CLI_OK;
    for (int n = 0; !rc && (!e->o.limit || n < e->o.limit) && getline(&line, &cap, f) > 0; n++)
        rc = cli_interrupted() ? CLI_INTERRUPTED : ask_line(e, line, n + 1);
    free(line);
    cli_progress_clear();
    return rc;
}

static int start(eval *e)
{
    svlm_chat_options co;
    svlm_error err;
    int rc;
    if ((rc = cli_make_hook(&e->hook, &e->o)) || (rc = cli_open_model(&e->model, &e->o)))
        return rc;
    e->class_attention = e->hook.needs_class_attention;
    cli_chat_options(&co, &e->o, &e->hook);
    if (!co.max_tokens)
        co.max_tokens = DEFAULT_TOKENS;
    if (svlm_chat_new(&e->chat, e->model, &co, &err))
        return cli_fail(&err);
    memset(&e->hook, 0, sizeof e->hook);        /* the chat's now */
    return CLI_OK;
}

static int run(eval *e)
{
    char path[4096];
    if (e->o.n_words != 1)
        return cli_usage(e->o.command, "which folder?");
    e->folder = e->o.words[0];
    if (snprintf(path, sizeof path, "%s/questions.jsonl", e->folder) >= (int)sizeof path)
        return cli_usage(e->o.command, "the folder's name is too long");
    FILE *f = fopen(path, "r");
    if (!f) {
        cli_note("cannot open %s: it should hold the questions", path);
        return CLI_FILE;
    }
    int rc = start(e);
    if (!rc)
        rc = ask_all(e, f);
    fclose(f);
    if (rc == CLI_OK || rc == CLI_INTERRUPTED) {
        int rc_report = report(e);
        rc = rc ? rc : rc_report;
    }
    return rc;
}

int cmd_eval(int argc, char **argv)
{
    eval e = { 0 };
    int rc;
    if (cli_parse(&e.o, CLI_EVAL, argc, argv, &rc))
        rc = run(&e);
    svlm_chat_free(e.chat);
    cli_pictures_free(&e.picture);
    free(e.picture_name);
    free(e.answer.p);
    if (e.hook.destroy)
        e.hook.destroy(e.hook.user);
    svlm_model_close(e.model);
    cli_options_free(&e.o);
    return rc;
}
