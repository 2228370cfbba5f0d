/* SPDX-License-Identifier: MIT */
/* sparsevlm explain: evaluates a question and draws what the pruner did with the rows
 * of its pictures. It knows no more than any program that uses the library. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmds.h"
#include "explain.h"

/* ---- the question ---------------------------------------------------------- */

static int read_pictures(explain *e)
{
    svlm_error err;
    int n = e->o.n_inputs, rc = CLI_OK;
    if (!n)
        return cli_usage(e->o.command, "which picture? It comes before the question");
    if (!(e->images = calloc((size_t)n, sizeof(svlm_image *)))) {
        cli_note("no memory for %d pictures", n);
        return CLI_FAILED;
    }
    for (int i = 0; i < n && !rc; i++) {
        if (svlm_image_open(&e->images[i], e->o.inputs[i].path, NULL, &err))
            return cli_fail(&err);
        e->n_images++;
        rc = cli_add_image(&e->pictures, e->model, &e->o, e->images[i],
                           e->hook.needs_class_attention);
    }
    return rc;
}

static int ask(explain *e)
{
    svlm_chat_options co;
    svlm_error err;
    cli_chat_options(&co, &e->o, &e->hook);
    co.max_tokens = 1;
    if (svlm_chat_new(&e->chat, e->model, &co, &err))
        return cli_fail(&err);
    if (cli_show(e->chat, &e->pictures, 0, 0, &err) ||
        svlm_chat_add_text(e->chat, e->o.prompt, &err) || svlm_chat_ask(e->chat, &err))
        return cli_fail(&err);
    cli_progress_clear();
    SVLM_INIT(&e->report);
    if (svlm_prune_get_report(&e->hook, &e->report) || !e->report.n_stages) {
        cli_note("nothing was pruned: there is nothing to explain");
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* ---- files ----------------------------------------------------------------- */

/* PREFIX-NAME.png, and its line of output. */
static int save(const explain *e, const char *name, sheet *s, json_t *files)
{
    char path[4096];
    snprintf(path, sizeof path, "%s-%s.png", e->o.output ? e->o.output : "explain", name);
    int failed = sheet_save(s, path);
    if (failed)
        cli_note("cannot write %s: %s", path, strerror(errno));
    sheet_free(s);
    if (failed)
        return CLI_FAILED;
    if (files)
        failed = json_array_append_new(files, cli_json_text(path, strlen(path)));
    else
        failed = cli_write(path, strlen(path)) || cli_write("\n", 1);
    return failed ? CLI_FAILED : CLI_OK;
}

static int draw_all(explain *e, json_t *files)
{
    sheet s = explain_overview(e);
    int rc = save(e, "all", &s, files);
    for (int k = 0; k < e->report.n_stages && !rc; k++) {
        const svlm_prune_stage *stage = &e->report.stages[k];
        char name[40];
        if (stage->layer < 0)
            snprintf(name, sizeof name, "picture%d", k + 1);
        else
            snprintf(name, sizeof name, "layer%d", stage->layer);
        explain_stage(e, k);
        s = explain_page(e, k);
        rc = save(e, name, &s, files);
    }
    return rc;
}

/* ---- lists ----------------------------------------------------------------- */

static json_t *json_ints(const int32_t *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; v && i < n; i++)
        json_array_append_new(list, json_integer(v[i]));
    return list;
}

static json_t *json_reals(const float *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; v && i < n; i++)
        json_array_append_new(list, json_real(v[i]));
    return v ? list : (json_decref(list), json_null());
}

static json_t *json_stage(const svlm_prune_stage *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "layer", json_integer(s->layer));
    json_object_set_new(o, "in_image", json_ints(s->in_image, s->n_in));
    json_object_set_new(o, "in_origin", json_ints(s->in_origin, s->n_in));
    json_object_set_new(o, "score", json_reals(s->score, s->n_in));
    json_object_set_new(o, "keep", json_ints(s->keep, s->n_keep));
    json_object_set_new(o, "recycled", json_ints(s->recycled, s->n_recycled));
    json_object_set_new(o, "assign", json_ints(s->assign, s->n_recycled));
    json_object_set_new(o, "density", json_reals(s->density, s->n_recycled));
    json_object_set_new(o, "centre", json_ints(s->centre, s->n_merged));
    json_object_set_new(o, "rank", s->rank < 0 ? json_null() : json_integer(s->rank));
    json_object_set_new(o, "singular", json_reals(s->singular, s->n_singular));
    json_object_set_new(o, "heads", json_ints(s->heads, s->n_heads));
    return o;
}

static json_t *json_words(const explain *e)
{
    const svlm_prune_report *r = &e->report;
    json_t *list = json_array();
    for (int i = 0; i < r->n_text; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "row", json_integer(r->text_row[i]));
        json_object_set_new(o, "token", json_integer(r->text_token[i]));
        json_object_set_new(o, "text", cli_json_text(e->words[i].text, e->words[i].n));
        json_object_set_new(o, "score", json_real(r->rater_score[i]));
        json_object_set_new(o, "rater", json_boolean(e->words[i].is_rater));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_report(const explain *e, json_t *files)
{
    json_t *o = json_object(), *stages = json_array();
    for (int k = 0; k < e->report.n_stages; k++)
        json_array_append_new(stages, json_stage(&e->report.stages[k]));
    json_object_set_new(o, "method", json_string(cli_prune_name(&e->o)));
    json_object_set_new(o, "question", cli_json_text(e->o.prompt, strlen(e->o.prompt)));
    json_object_set_new(o, "text", json_words(e));
    json_object_set_new(o, "raters_fallback", json_boolean(e->report.raters_fallback));
    json_object_set_new(o, "stages", stages);
    json_object_set_new(o, "files", files);
    return o;
}

/* ---- command --------------------------------------------------------------- */

static int run(explain *e)
{
    int rc = cli_make_hook(&e->hook, &e->o);
    if (rc)
        return rc;
    if (!e->hook.size)
        return cli_usage(e->o.command, "without pruning there is nothing to explain");
    if ((rc = cli_open_model(&e->model, &e->o)) || (rc = read_pictures(e)) || (rc = ask(e)) ||
        (rc = explain_prepare(e)))
        return rc;
    json_t *files = e->o.json ? json_array() : NULL;
    if ((rc = draw_all(e, files))) {
        json_decref(files);
        return rc;
    }
    return files ? cli_json_print(json_report(e, files)) : CLI_OK;
}

static void release(explain *e)
{
    if (!e->chat && e->hook.destroy)            /* otherwise the chat owns it */
        e->hook.destroy(e->hook.user);
    svlm_chat_free(e->chat);
    for (int i = 0; e->fates && i < e->n_images; i++) {
        free(e->fates[i].fate);
        free(e->fates[i].merged);
        free(e->fates[i].score);
    }
    for (int i = 0; i < e->n_images; i++)
        svlm_image_close(e->images[i]);
    cli_pictures_free(&e->pictures);
    svlm_model_close(e->model);
    free(e->images);
    free(e->fates);
    free(e->views);
    free(e->words);
    free(e->text);
    cli_options_free(&e->o);
}

int cmd_explain(int argc, char **argv)
{
    explain e = { .n_images = 0 };
    int rc;
    if (cli_parse(&e.o, CLI_EXPLAIN, argc, argv, &rc) && !(rc = cli_words_to_inputs(&e.o)))
        rc = run(&e);
    release(&e);
    return rc;
}
