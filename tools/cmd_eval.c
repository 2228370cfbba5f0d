/* SPDX-License-Identifier: MIT */
/* sparsevlm eval: the questions of a folder, and how many answers are right; on both paths of
 * arithmetic with --against-precise, and how many answers are equal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "cmds.h"

enum { ASKED, PRECISE, SIDES };   /* the path the options ask for, and what it is held against */

enum { MAX_FAMILIES = 64, DEFAULT_TOKENS = 128 };

typedef struct tally { char name[64]; int n, right[SIDES], equal; } tally;

typedef struct side {
    svlm_model *model;
    svlm_hook hook;
    int class_attention;
    svlm_chat *chat;
    cli_pictures picture;         /* the one last asked about */
    double visual_sum, prefill_sum;
    cli_text answer;
} side;

typedef struct eval {
    cli_options o;
    const char *folder;
    side sides[SIDES];
    int n_sides;
    char *picture_name;           /* the one both sides have  */
    tally families[MAX_FAMILIES];
    int n_families;
    json_t *different;            /* answers, where the sides' differ; NULL with one side */
} eval;

typedef struct question { const char *image, *family, *text, *answer; } question;

/* ---- asking ---------------------------------------------------------------- */

/* Questions about one picture follow each other, so its features are kept. */
static int look(eval *e, const char *name)
{
    if (e->picture_name && !strcmp(e->picture_name, name))
        return CLI_OK;
    free(e->picture_name);
    size_t n = strlen(e->folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (!(e->picture_name = strdup(name)) || !path) {
        free(path);
        cli_note("no memory for a file name");
        return CLI_FAILED;
    }
    snprintf(path, n, "%s/%s", e->folder, name);
    int rc = CLI_OK;
    for (side *s = e->sides; s < e->sides + e->n_sides && !rc; s++) {
        cli_pictures_free(&s->picture);
        rc = cli_add_input(&s->picture, s->model, &e->o, (cli_input) { path, 0 },
                           s->class_attention);
    }
    free(path);
    return rc;
}

static int read_answer(side *s)
{
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;
    s->answer.n = 0;
    int rc = cli_append(&s->answer, "", 0) ? CLI_FAILED : CLI_OK;
    while (!rc && (st = svlm_chat_next(s->chat, &piece, &n, &err)) != SVLM_END) {
        if (st)
            return cli_fail(&err);
        if (cli_interrupted())
            return CLI_INTERRUPTED;
        rc = cli_append(&s->answer, piece, n) ? CLI_FAILED : CLI_OK;
    }
    if (rc)
        cli_note("no memory for an answer");
    return rc;
}

static int ask_side(side *s, const char *text)
{
    svlm_chat_stats stats;
    svlm_error err;
    if (svlm_chat_reset(s->chat, &err))
        return cli_fail(&err);
    if (cli_show(s->chat, &s->picture, 0, 0, &err) ||
        svlm_chat_add_text(s->chat, text, &err) || svlm_chat_ask(s->chat, &err))
        return cli_fail(&err);
    int rc = read_answer(s);
    if (rc)
        return rc;
    SVLM_INIT(&stats);
    svlm_chat_get_stats(s->chat, &stats);
    s->visual_sum += stats.visual_average;
    s->prefill_sum += stats.prefill_seconds;
    return CLI_OK;
}

static int ask(eval *e, const question *q)
{
    int rc = look(e, q->image);
    for (int i = 0; i < e->n_sides && !rc; i++)
        rc = ask_side(&e->sides[i], q->text);
    return rc;
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

static void compare(eval *e, tally *t, const question *q)
{
    const cli_text *a = &e->sides[ASKED].answer, *p = &e->sides[PRECISE].answer;
    t->right[PRECISE] += !strcmp(p->p, q->answer);
    if (!strcmp(a->p, p->p))
        t->equal++;
    else
        json_array_append_new(e->different, json_pack(
            "{s:s, s:s, s:s, s:s, s:o, s:o}", "image", q->image, "family", q->family, "question",
            q->text, "expected", q->answer, "answer", cli_json_text(a->p, a->n), "precise",
            cli_json_text(p->p, p->n)));
}

static int count(eval *e, const question *q)
{
    tally *t = family(e, q->family);
    const char *answer = e->sides[ASKED].answer.p;
    int right = !strcmp(answer, q->answer);
    if (!t) {
        cli_note("more than %d families of questions", MAX_FAMILIES);
        return CLI_FILE;
    }
    t->n++;
    t->right[ASKED] += right;
    if (e->different)
        compare(e, t, q);
    if (e->o.verbose) {
        cli_progress_clear();
        fprintf(stderr, "%s %s: %s %s (%s)\n", right ? "right" : "WRONG", q->image, q->text,
                answer, q->answer);
    }
    return CLI_OK;
}

/* Wilson's interval for right of n, 95 %. */
static void wilson(const tally *t, double *low, double *high)
{
    const double z = 1.959964, n = t->n, p = t->right[ASKED] / n;
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
            all.equal += e->families[i].equal;
            for (int k = 0; k < SIDES; k++)
                all.right[k] += e->families[i].right[k];
        }
    return all;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tally *)a)->name, ((const tally *)b)->name);
}

/* ---- reporting ------------------------------------------------------------- */

static double share(int part, const tally *t)
{
    return t->n ? (double)part / t->n : 0;
}

static void print_row(const eval *e, const tally *t)
{
    double low, high;
    if (!t->n)
        return;
    wilson(t, &low, &high);
    printf("%-16s %5d   %5.1f %%   %5.1f to %5.1f", t->name, t->n, 100 * share(t->right[ASKED], t),
           100 * low, 100 * high);
    if (e->different)
        printf("   %5.1f %%   %5.1f %%", 100 * share(t->right[PRECISE], t),
               100 * share(t->equal, t));
    puts("");
}

static json_t *json_row(const eval *e, const tally *t)
{
    double low = 0, high = 0;
    if (t->n)
        wilson(t, &low, &high);
    json_t *j = json_pack("{s:o, s:i, s:i, s:f, s:f, s:f}", "family",
                          cli_json_text(t->name, strlen(t->name)), "n", t->n, "right",
                          t->right[ASKED], "accuracy", share(t->right[ASKED], t), "low", low,
                          "high", high);
    if (e->different)
        json_object_update_new(j, json_pack(
            "{s:i, s:f, s:i, s:f}", "right_precise", t->right[PRECISE], "accuracy_precise",
            share(t->right[PRECISE], t), "equal", t->equal, "equal_share", share(t->equal, t)));
    return j;
}

static void print_different(const eval *e)
{
    static const char *const keys[] = { "image", "question", "answer", "precise", "expected" };
    const char *v[5];
    const json_t *j;
    size_t i;
    json_array_foreach(e->different, i, j) {
        for (int k = 0; k < 5; k++)
            v[k] = json_string_value(json_object_get(j, keys[k]));
        printf("%s %s\n    answer: %s; precise: %s; expected: %s\n", v[0], v[1], v[2], v[3], v[4]);
    }
}

static void print_table(const eval *e, const tally *brief, const tally *all)
{
    const side *s = &e->sides[ASKED];
    const double n = all->n ? all->n : 1;
    printf("%-16s %5s   %7s   %s%s\n", "family", "n", "right", "95 % interval",
           e->different ? "    precise     equal" : "");
    for (int i = 0; i < e->n_families; i++)
        print_row(e, &e->families[i]);
    if (brief->n < all->n)
        print_row(e, brief);
    print_row(e, all);
    print_different(e);
    printf("pruning %s: %.1f visual tokens on average, prefill %.3f s\n", cli_prune_name(&e->o),
           s->visual_sum / n, s->prefill_sum / n);
}

/* Captions are right as a whole sentence or not at all, so the sum is given without
 * them as well. */
static int report(eval *e)
{
    const side *s = &e->sides[ASKED];
    const tally all = sum(e, "all", ""), brief = sum(e, "all but caption", "caption");
    const double n = all.n ? all.n : 1;
    qsort(e->families, (size_t)e->n_families, sizeof *e->families, by_name);
    if (!e->o.json) {
        print_table(e, &brief, &all);
        return CLI_OK;
    }
    json_t *rows = json_array();
    for (int i = 0; i < e->n_families; i++)
        json_array_append_new(rows, json_row(e, &e->families[i]));
    json_t *j = json_pack("{s:o, s:o, s:o, s:s, s:f, s:f}", "families", rows, "all",
                          json_row(e, &all), "all_but_caption", json_row(e, &brief), "prune",
                          cli_prune_name(&e->o), "visual_average", s->visual_sum / n,
                          "prefill_seconds", s->prefill_sum / n);
    if (e->different)
        json_object_set(j, "different", e->different);
    return cli_json_print(j);
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

static int start_side(side *s, const cli_options *o)
{
    svlm_chat_options co;
    svlm_error err;
    int rc;
    if ((rc = cli_make_hook(&s->hook, o)) || (rc = cli_open_model(&s->model, o)))
        return rc;
    s->class_attention = s->hook.needs_class_attention;
    cli_chat_options(&co, o, &s->hook);
    if (!co.max_tokens)
        co.max_tokens = DEFAULT_TOKENS;
    if (svlm_chat_new(&s->chat, s->model, &co, &err))
        return cli_fail(&err);
    memset(&s->hook, 0, sizeof s->hook);        /* the chat's now */
    return CLI_OK;
}

static int start(eval *e)
{
    cli_options precise = e->o;
    precise.precise = 1;
    e->n_sides = e->o.against_precise ? SIDES : 1;
    if (e->o.against_precise && !(e->different = json_array())) {
        cli_note("no memory for the answers");
        return CLI_FAILED;
    }
    int rc = start_side(&e->sides[ASKED], &e->o);
    return rc || e->n_sides == 1 ? rc : start_side(&e->sides[PRECISE], &precise);
}

static int run(eval *e)
{
    char path[4096];
    if (e->o.n_words != 1)
        return cli_usage(e->o.command, "which folder?");
    if (e->o.precise && e->o.against_precise)
        return cli_usage(e->o.command, "--precise and --against-precise: what is to be compared?");
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

static void close_side(side *s)
{
    svlm_chat_free(s->chat);
    cli_pictures_free(&s->picture);
    free(s->answer.p);
    if (s->hook.destroy)
        s->hook.destroy(s->hook.user);
    svlm_model_close(s->model);
}

int cmd_eval(int argc, char **argv)
{
    eval e = { 0 };
    int rc;
    if (cli_parse(&e.o, CLI_EVAL, argc, argv, &rc))
        rc = run(&e);
    for (int i = 0; i < SIDES; i++)
        close_side(&e.sides[i]);
    free(e.picture_name);
    json_decref(e.different);
    cli_options_free(&e.o);
    return rc;
}
