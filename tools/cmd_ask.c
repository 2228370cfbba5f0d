/* SPDX-License-Identifier: MIT */
/* sparsevlm ask: pictures and a question in, the answer out as it comes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli.h"
#include "cmds.h"

typedef struct ask {
    cli_options o;
    svlm_model *model;
    svlm_hook hook;
    cli_pictures pictures;
    svlm_chat *chat;
    cli_times times;
    char *typed;                  /* the question from stdin, or NULL  */
    cli_text answer;              /* --json: all of it                 */
} ask;

/* All of stdin, without the end of its last line. */
static int read_question(ask *a)
{
    enum { MAX = 64 << 20 };
    size_t n = 0, cap = 0;
    if (strcmp(a->o.prompt, "-"))
        return CLI_OK;
    do {
        char *more = n < MAX ? realloc(a->typed, cap = cap ? 2 * cap : 4096) : NULL;
        if (!more) {
            cli_note("the question on stdin is too long");
            return CLI_FAILED;
        }
        a->typed = more;
        n += fread(a->typed + n, 1, cap - n - 1, stdin);
    } while (n == cap - 1);
    n -= n && a->typed[n - 1] == '\n';
    n -= n && a->typed[n - 1] == '\r';
    a->typed[n] = 0;
    if (ferror(stdin) || !n)
        return cli_usage(a->o.command, "there is no question on stdin");
    if (strlen(a->typed) < n)
        return cli_usage(a->o.command, "the question on stdin has a NUL byte in it");
    a->o.prompt = a->typed;
    return CLI_OK;
}

static int encode_all(ask *a)
{
    int rc = CLI_OK;
    for (int i = 0; i < a->o.n_inputs && !rc; i++)
        rc = cli_add_input(&a->pictures, a->model, &a->o, a->o.inputs[i],
                           a->hook.needs_class_attention);
    a->times.read = a->pictures.read_seconds;
    a->times.encode = a->pictures.encode_seconds;
    return rc;
}

static int start_chat(ask *a)
{
    svlm_chat_options co;
    svlm_error err;
    cli_chat_options(&co, &a->o, &a->hook);
    if (svlm_chat_new(&a->chat, a->model, &co, &err))
        return cli_fail(&err);
    memset(&a->hook, 0, sizeof a->hook);        /* the chat's now */
    return CLI_OK;
}

static int prefill(ask *a)
{
    svlm_error err;
    if (cli_show(a->chat, &a->pictures, 0, a->o.frame_times, &err) ||
        svlm_chat_add_text(a->chat, a->o.prompt, &err) || svlm_chat_ask(a->chat, &err))
        return cli_fail(&err);
    cli_progress_clear();
    return CLI_OK;
}

static int answer(ask *a)
{
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;
    while (!cli_interrupted() && (st = svlm_chat_next(a->chat, &piece, &n, &err)) != SVLM_END) {
        if (st) {
            cli_write("\n", a->times.first_word > 0 && !a->o.json);      /* ends what was shown */
            return cli_fail(&err);
        }
        if (a->times.first_word == 0)
            a->times.first_word = sv_seconds() - a->times.start;
        if (a->o.json ? cli_append(&a->answer, piece, n) : cli_write(piece, n))
            return CLI_FAILED;
    }
    return !a->o.json && cli_write("\n", 1) ? CLI_FAILED : CLI_OK;
}

static int report(ask *a)
{
    svlm_chat_stats s;
    SVLM_INIT(&s);
    svlm_chat_get_stats(a->chat, &s);
    if (a->o.stats && !a->o.json)
        cli_print_stats(&s, &a->pictures, &a->o, &a->times);
    if (!a->o.json)
        return CLI_OK;
    json_t *object = cli_json_stats(&s, &a->pictures, &a->o, &a->times);
    json_object_set_new(object, "answer", cli_json_text(a->answer.p, a->answer.n));
    json_object_set_new(object, "interrupted", json_boolean(cli_interrupted()));
    return cli_json_print(object);
}

static int run(ask *a)
{
    svlm_chat_stats s;
    int rc;
    a->times.start = sv_seconds();
    if ((rc = cli_make_hook(&a->hook, &a->o)) || (rc = read_question(a)) ||
        (rc = cli_open_model(&a->model, &a->o)))
        return rc;
    a->times.load = sv_seconds() - a->times.start;
    if ((rc = encode_all(a)) || (rc = start_chat(a)) || (rc = prefill(a)))
        return rc;
    SVLM_INIT(&s);
    svlm_chat_get_stats(a->chat, &s);
    if (!a->o.json)
        cli_print_pruning(&s, &a->o);
    if ((rc = answer(a)) || (rc = report(a)))
        return rc;
    return cli_interrupted() ? CLI_INTERRUPTED : CLI_OK;
}

int cmd_ask(int argc, char **argv)
{
    ask a = { 0 };
    int rc;
    if (cli_parse(&a.o, CLI_ASK, argc, argv, &rc) && !(rc = cli_words_to_inputs(&a.o)))
        rc = run(&a);
    svlm_chat_free(a.chat);
    cli_pictures_free(&a.pictures);
    if (a.hook.destroy)
        a.hook.destroy(a.hook.user);
    svlm_model_close(a.model);
    free(a.typed);
    free(a.answer.p);
    cli_options_free(&a.o);
    return rc;
}
