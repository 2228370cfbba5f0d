/* SPDX-License-Identifier: MIT */
/* sparsevlm convert: a Hugging Face checkpoint to the two files we run. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/threads.h"
#include "cli.h"
#include "cmds.h"
#include "convert.h"

static int step(void *user, size_t n_done, size_t total)
{
    (void)user;
    cli_bar("converting", (int)n_done, (int)total);
    return cli_interrupted();
}

/* prefix and ".gguf" around the last part of a path. */
static char *file_name(const char *path, const char *prefix)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0, n = strlen(path) + strlen(prefix) + 6;
    char *s = malloc(n);
    if (s)
        snprintf(s, n, "%.*s%s%s.gguf", (int)folder, path, prefix, path + folder);
    return s;
}

static int mix_of(const char *option, const char *name, const char *command, const sv_mix **out)
{
    *out = sv_mix_by_name(name ? name : "F16");
    return *out ? CLI_OK : cli_usage(command, "--%s: unknown type %s", option, name);
}

static int convert(sv_convert_job *job)
{
    sv_convert_result r;
    svlm_error err;
    double start = sv_seconds();
    svlm_status st = sv_convert(job, &r, &err);
    cli_progress_clear();
    if (st)
        return cli_fail(&err);
    if (r.n_unused)
        cli_note("%d tensors of the checkpoint have no place in the files, the first is %s",
                 r.n_unused, r.first_unused);
    cli_note("%s (%s) and %s (%s) in %.1f s", job->llm, sv_mix_name(job->type), job->mmproj,
             sv_mix_name(job->tower), sv_seconds() - start);
    return CLI_OK;
}

static int run(const cli_options *o)
{
    sv_convert_job job = { .vision = o->vision, .step = step };
    int rc;
    if (o->n_words != 1)
        return cli_usage(o->command, "which folder holds the checkpoint?");
    if (!o->output)
        return cli_usage(o->command, "-o says what the files will be called");
    if ((rc = mix_of("type", o->type, o->command, &job.type)) ||
        (rc = mix_of("tower", o->tower, o->command, &job.tower)))
        return rc;
    const char *slash = strrchr(o->output, '/');
    char *llm = file_name(o->output, ""), *mmproj = file_name(o->output, "mmproj-");
    job.folder = o->words[0];
    job.name = slash ? slash + 1 : o->output;
    job.llm = llm;
    job.mmproj = mmproj;
    job.n_threads = o->n_threads ? o->n_threads : sv_threads_available();
    if (llm && mmproj) {
        rc = convert(&job);
    } else {
        cli_note("no memory for file names");
        rc = CLI_FAILED;
    }
    free(llm);
    free(mmproj);
    return rc;
}

int cmd_convert(int argc, char **argv)
{
    cli_options o;
    int rc;
    if (cli_parse(&o, CLI_CONVERT, argc, argv, &rc))
        rc = run(&o);
    cli_options_free(&o);
    return rc;
}
