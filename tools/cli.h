/* SPDX-License-Identifier: MIT */
/* What the subcommands share: exit codes, options, opening things, reports. */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <jansson.h>
#include <sparsevlm/sparsevlm.h>

#include "base/status.h"

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,               /* while running: memory, output, model           */
    CLI_USAGE = 2,                /* options or arguments                           */
    CLI_FILE = 3,                 /* a file cannot be used: read, trusted, written   */
    CLI_VANISHED = 74,            /* an input file became shorter while in use      */
    CLI_INTERRUPTED = 130         /* Ctrl-C                                         */
};

/* Which options a subcommand knows. */
typedef enum cli_command {
    CLI_ASK = 1, CLI_CHAT = 2, CLI_INFO = 4, CLI_EVAL = 8, CLI_BENCH = 16, CLI_EXPLAIN = 32,
    CLI_QUANTIZE = 64, CLI_CONVERT = 128
} cli_command;

enum { CLI_MAX_LIST = 64 };

typedef struct cli_list { int n, value[CLI_MAX_LIST]; } cli_list;

typedef struct cli_input { const char *path; int is_video; } cli_input;

/* 0 and NULL mean not given, as in the library. */
typedef struct cli_options {
    const char *command;
    const char *model, *mmproj;
    int precise, repack, n_threads;
    cli_input *inputs;            /* pictures and videos, in their order */
    int n_inputs;
    char **words;                 /* other arguments */
    int n_words;
    const char *prompt, *system, *template_name;
    int n_predict, n_ctx, kv_f32, reprune;
    double temperature, top_p, min_p, repeat_penalty;
    int top_k;
    uint64_t seed;
    const char *prune, *positions;
    double retain;
    cli_list prune_layers, keep;
    double lambda, scale, bias, energy;
    int min_keep, max_keep;
    int per_image, keep_separators, no_recycle, raters_question_only, raters_between;
    int frames, frame_times;
    double fps, start, end;
    int json, stats, verbose;
    int limit, against_precise;   /* eval    */
    cli_list tokens;              /* bench   */
    const char *settings;         /* bench   */
    int repeat;                   /* bench   */
    const char *output;           /* explain, convert */
    int verify;                   /* quantize */
    const char *type, *tower, *vision;         /* convert  */
} cli_options;

/* Reads the arguments. *rc is the exit code when it returns 0: --help was printed, or the
 * arguments are wrong and it was said why. cli_options_free either way. */
int cli_parse(cli_options *o, cli_command command, int argc, char **argv, int *rc);
void cli_options_free(cli_options *o);
/* Moves words to inputs: those before the last, or all of them with a prompt option. */
int cli_words_to_inputs(cli_options *o);

/* Messages on stderr: one sentence each, with the program's name in front. */
int cli_usage(const char *command, const char *fmt, ...) SV_PRINTF(2, 3);     /* CLI_USAGE */
int cli_fail(const svlm_error *err);                            /* by its status */
void cli_note(const char *fmt, ...) SV_PRINTF(1, 2);

/* 1 after Ctrl-C, until cleared. A second one meanwhile ends the program. */
int cli_interrupted(void);
void cli_interrupt_clear(void);
/* Files that are named should they vanish while mapped. */
void cli_watch_file(const char *path);

/* ---- models.c: which files ------------------------------------------------- */

typedef struct cli_files { char *model, *mmproj; int is_demo; } cli_files;

/* -m, $SPARSEVLM_MODEL, else the demo model; the mmproj beside it unless given.
 * CLI_OK, or an exit code after a message. */
int cli_find_files(cli_files *files, const cli_options *o);
void cli_files_free(cli_files *files);

/* ---- load.c: from options to objects. CLI_OK, or an exit code after a message. -- */

int cli_open_model(svlm_model **model, const cli_options *o);
/* *hook is all zero with --prune none. */
int cli_make_hook(svlm_hook *hook, const cli_options *o);
void cli_chat_options(svlm_chat_options *co, const cli_options *o, const svlm_hook *hook);
const char *cli_prune_name(const cli_options *o);               /* "none", "sparsevlm" ... */

/* ---- pictures.c ------------------------------------------------------------ */

/* A picture, or a frame of a video. */
typedef struct cli_picture {
    svlm_features *features;
    char *name;                   /* of its file, or NULL                   */
    double seconds;               /* when the frame is shown; -1: a picture */
} cli_picture;

typedef struct cli_pictures {
    cli_picture *picture;
    int n, cap;
    double read_seconds, encode_seconds;
} cli_pictures;

/* Appends one picture, or a video's frames. CLI_OK, or an exit code after a message. */
int cli_add_input(cli_pictures *p, svlm_model *model, const cli_options *o, cli_input input,
                  int class_attention);
int cli_add_image(cli_pictures *p, svlm_model *model, const cli_options *o,
                  const svlm_image *image, int class_attention);
/* Adds those from number from on to the turn, if asked to with words on when frames are shown. */
svlm_status cli_show(svlm_chat *chat, const cli_pictures *p, int from, int frame_times,
                     svlm_error *err);
void cli_pictures_cut(cli_pictures *p, int n);                  /* forgets all but n */
void cli_pictures_free(cli_pictures *p);

/* ---- report.c -------------------------------------------------------------- */

int cli_progress(void *user, svlm_stage stage, int done, int total);
/* Which frame of how many is being looked at; 0: a picture. */
void cli_progress_frame(int frame, int n_frames);
/* The same bar for other work. */
void cli_bar(const char *what, int done, int total);
void cli_progress_clear(void);
void cli_log(void *user, svlm_log_level level, const char *line);
/* Part of an answer to stdout at once; on a terminal without control characters.
 * 0, or -1 when it cannot be written. */
int cli_write(const char *text, size_t n);

/* A growing, always terminated text; all zero is empty, free(p) frees it. */
typedef struct cli_text { char *p; size_t n, cap; } cli_text;
/* 0, or -1 without memory. */
int cli_append(cli_text *text, const char *piece, size_t n);

json_t *cli_json_text(const char *text, size_t n);              /* broken UTF-8 repaired */
/* Prints and frees the object. CLI_OK or CLI_FAILED. */
int cli_json_print(json_t *object);

typedef struct cli_times { double start, load, read, encode, first_word; } cli_times;

void cli_print_pruning(const svlm_chat_stats *s, const cli_options *o);
/* p: the pictures of the turn, to name them by. */
void cli_print_stats(const svlm_chat_stats *s, const cli_pictures *p, const cli_options *o,
                     const cli_times *t);
json_t *cli_json_stats(const svlm_chat_stats *s, const cli_pictures *p, const cli_options *o,
                       const cli_times *t);

#endif
