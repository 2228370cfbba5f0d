/* SPDX-License-Identifier: MIT */
/* sparsevlm: hands over to a subcommand, and keeps its promises about signals, output
 * and exit codes. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    { "ask", cmd_ask, "answer a question about pictures or a video" },
    { "chat", cmd_chat, "talk about pictures, turn by turn" },
    { "info", cmd_info, "what is in model files, and the memory they need" },
    { "eval", cmd_eval, "accuracy on a folder of pictures and questions" },
    { "explain", cmd_explain, "draw which parts of a picture pruning kept" },
    { "convert", cmd_convert, "a Hugging Face checkpoint to the two files we run" },
    { "quantize", cmd_quantize, "a model file in a smaller type" },
    { "bench", cmd_bench, "how fast a model runs here, with and without pruning" },
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int print_help(void)
{
    puts("usage: sparsevlm COMMAND [options] ...\n"
         "Answers questions about pictures with LLaVA models, on a CPU, pruning visual tokens.\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].what);
    puts("\n  sparsevlm COMMAND --help   its options\n"
         "  sparsevlm --version        version and instruction set\n\n"
         "Without -m and $SPARSEVLM_MODEL the small bundled demo model answers.\n"
         "Exit codes: 0 success, 1 failure while running, 2 wrong usage, 3 a file cannot\n"
         "be used, 74 an input file vanished while in use, 130 interrupted.");
    return CLI_OK;
}

/* ---- messages -------------------------------------------------------------- */

int cli_usage(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "sparsevlm %s: ", command);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, " (see sparsevlm %s --help)\n", command);
    va_end(ap);
    return CLI_USAGE;
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("sparsevlm: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

int cli_fail(const svlm_error *err)
{
    cli_progress_clear();
    if (err->status == SVLM_ERR_CANCELLED && cli_interrupted())
        return CLI_INTERRUPTED;
    cli_note("%s", err->message);
    switch (err->status) {
    case SVLM_ERR_ARG:
        return CLI_USAGE;
    case SVLM_ERR_IO:
    case SVLM_ERR_FORMAT:
    case SVLM_ERR_UNSUPPORTED:
    case SVLM_ERR_LIMIT:
        return CLI_FILE;
    default:
        return CLI_FAILED;
    }
}

/* ---- signals --------------------------------------------------------------- */

enum { MAX_WATCHED = 4 };

static volatile sig_atomic_t interrupted;
static struct watched { const char *path; off_t size; } watched[MAX_WATCHED];
static int n_watched;

int cli_interrupted(void)
{
    return interrupted;
}

void cli_interrupt_clear(void)
{
    interrupted = 0;
}

void cli_watch_file(const char *path)
{
    struct stat st;
    if (n_watched < MAX_WATCHED && !stat(path, &st))
        watched[n_watched++] = (struct watched) { path, st.st_size };
}

static void on_interrupt(int sig)
{
    (void)sig;
    if (interrupted)
        _exit(CLI_INTERRUPTED);
    interrupted = 1;
}

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;                   /* nobody can be told */
}

/* A page of a mapped file is gone: the one that is shorter now, else a bad disk. */
static void on_bus_error(int sig)
{
    (void)sig;
    struct stat st;
    say("\nsparsevlm: an input file vanished while it was in use:");
    for (int i = 0; i < n_watched; i++)
        if (stat(watched[i].path, &st) || st.st_size < watched[i].size) {
            say(" ");
            say(watched[i].path);
        }
    say("\n");
    _exit(CLI_VANISHED);
}

static void install_handlers(void)
{
    struct sigaction sa = { 0 };
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_interrupt;       /* no SA_RESTART: Ctrl-C ends waiting for a line */
    sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_bus_error;
    sigaction(SIGBUS, &sa, NULL);
    sa.sa_handler = SIG_IGN;            /* a closed pipe is a failed write, not a death */
    sigaction(SIGPIPE, &sa, NULL);
}

/* ---- */

/* What was printed has to arrive: a full disk is a failure, a closed pipe a quiet one. */
static int finish_output(int rc)
{
    if (!fflush(stdout) && !ferror(stdout))
        return rc;
    if (errno != EPIPE)
        cli_note("cannot write the output: %s", strerror(errno));
    return rc == CLI_OK ? CLI_FAILED : rc;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    install_handlers();
    if (!name) {
        print_help();
        return CLI_USAGE;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        return finish_output(print_help());
    if (!strcmp(name, "--version")) {
        printf("sparsevlm %s (%s)\n", svlm_version(), svlm_isa());
        return finish_output(CLI_OK);
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return finish_output(commands[i].run(argc - 1, argv + 1));
    fprintf(stderr, "sparsevlm: there is no command \"%s\" (sparsevlm --help lists them)\n", name);
    return CLI_USAGE;
}
