/* SPDX-License-Identifier: MIT */
/* sparsevlm chat: a conversation, line by line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "cmds.h"

typedef struct talk {
    cli_options o;
    svlm_model *model;
    svlm_hook hook;
    int class_attention;
    svlm_chat *chat;
    cli_pictures pictures;        /* of this turn; with --reprune of all turns */
    int n_asked;                  /* those that earlier turns were about       */
    cli_times times;
    char *line;
    size_t cap_line;
} talk;

static void print_commands(void)
{
    fputs("/image FILE   adds a picture or a video to the next question\n"
          "/reset        forgets the conversation\n"
          "/quit         ends the program, as Ctrl-D does; Ctrl-C ends an answer\n", stderr);
}

static int add_file(talk *t, cli_input input)
{
    cli_pictures *p = &t->pictures;
    svlm_error err;
    int before = p->n;
    int rc = cli_add_input(p, t->model, &t->o, input, t->class_attention);
    if (rc)
        cli_pictures_cut(p, before);
    else if (cli_show(t->chat, p, before, t->o.frame_times, &err))
        rc = cli_fail(&err);
    t->times.read += p->read_seconds;
    t->times.encode += p->encode_seconds;
    p->read_seconds = p->encode_seconds = 0;
    return rc;
}

static int start(talk *t)
{
    svlm_chat_options co;
    svlm_error err;
    int rc;
    t->times.start = sv_seconds();
    if ((rc = cli_make_hook(&t->hook, &t->o)) || (rc = cli_open_model(&t->model, &t->o)))
        return rc;
    t->times.load = sv_seconds() - t->times.start;
    t->class_attention = t->hook.needs_class_attention;
    cli_chat_options(&co, &t->o, &t->hook);
    if (svlm_chat_new(&t->chat, t->model, &co, &err))
        return cli_fail(&err);
    memset(&t->hook, 0, sizeof t->hook);        /* the chat's now */
    for (int i = 0; i < t->o.n_inputs && !rc; i++)
        rc = add_file(t, t->o.inputs[i]);
    for (int i = 0; i < t->o.n_words && !rc; i++)
        rc = add_file(t, (cli_input) { t->o.words[i], 0 });
    return rc;
}

/* Shows the answer. CLI_OK, or CLI_FAILED when nobody can read it. */
static int show_answer(talk *t)
{
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;
    while (!cli_interrupted() && (st = svlm_chat_next(t->chat, &piece, &n, &err)) != SVLM_END) {
        if (st) {
            cli_fail(&err);
            break;
        }
        if (t->times.first_word == 0)
            t->times.first_word = sv_seconds() - t->times.start;
        if (cli_write(piece, n))
            return CLI_FAILED;
    }
    return cli_write("\n", 1) ? CLI_FAILED : CLI_OK;
}

/* One turn. A turn that fails is reported and forgotten; the conversation goes on. */
static int turn(talk *t, const char *text)
{
    svlm_chat_stats s;
    svlm_error err;
    t->times.start = sv_seconds();
    t->times.first_word = 0;
    if (svlm_chat_add_text(t->chat, text, &err) || svlm_chat_ask(t->chat, &err)) {
        if (cli_fail(&err) == CLI_INTERRUPTED)
            cli_note("interrupted; that turn is forgotten");
        cli_pictures_cut(&t->pictures, t->n_asked);
        return CLI_OK;
    }
    cli_progress_clear();
    SVLM_INIT(&s);
    svlm_chat_get_stats(t->chat, &s);
    cli_print_pruning(&s, &t->o);
    if (show_answer(t))
        return CLI_FAILED;
    if (t->o.stats) {
        svlm_chat_get_stats(t->chat, &s);
        cli_print_stats(&s, &t->pictures, &t->o, &t->times);
    }
    t->n_asked = t->o.reprune ? t->pictures.n : 0;
    cli_pictures_cut(&t->pictures, t->n_asked);
    t->times = (cli_times) { 0 };
    return CLI_OK;
}

/* A line that begins with a slash. 0: the program is to end. */
static int obey(talk *t, char *line)
{
    svlm_error err;
    if (!strcmp(line, "/quit"))
        return 0;
    if (!strncmp(line, "/image ", 7))
        add_file(t, (cli_input) { line + 7 + strspn(line + 7, " "), 0 });
    else if (strcmp(line, "/reset"))
        print_commands();
    else if (svlm_chat_reset(t->chat, &err))
        cli_fail(&err);
    else
        cli_pictures_cut(&t->pictures, t->n_asked = 0);
    return 1;
}

/* 0 at the end of input, or after Ctrl-C while waiting. */
static int read_line(talk *t)
{
    if (isatty(STDIN_FILENO))
        fputs("> ", stderr);
    ssize_t n = getline(&t->line, &t->cap_line, stdin);
    if (n < 0)
        return 0;
    while (n && (t->line[n - 1] == '\n' || t->line[n - 1] == '\r'))
        t->line[--n] = 0;
    return 1;
}

static int run(talk *t)
{
    int rc = start(t);
    if (rc)
        return rc;
    if (isatty(STDIN_FILENO))
        print_commands();
    while (read_line(t)) {
        if (t->line[0] == '/') {
            if (!obey(t, t->line))
                return CLI_OK;
        } else if (t->line[0] && (rc = turn(t, t->line)))
            return rc;
        cli_interrupt_clear();
    }
    return cli_interrupted() ? CLI_INTERRUPTED : CLI_OK;
}

int cmd_chat(int argc, char **argv)
{
    talk t = { 0 };
    int rc;
    if (cli_parse(&t.o, CLI_CHAT, argc, argv, &rc))
        rc = run(&t);
    svlm_chat_free(t.chat);
    cli_pictures_free(&t.pictures);
    if (t.hook.destroy)
        t.hook.destroy(t.hook.user);
    svlm_model_close(t.model);
    free(t.line);
    cli_options_free(&t.o);
    return rc;
}
