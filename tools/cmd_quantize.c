/* SPDX-License-Identifier: MIT */
/* sparsevlm quantize: a smaller file of the same model. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/threads.h"
#include "cli.h"
#include "cmds.h"
#include "quantize_file.h"

typedef struct progress {
    int verify;
    double worst;                 /* relative error */
    char where[64];
} progress;

static int step(void *user, size_t n_done, size_t total, const sv_gguf_tensor *t, sv_type type,
                const sv_recode_error *e)
{
    progress *p = user;
    if (e && type != t->type) {
        double relative = e->energy > 0 ? sqrt(e->error / e->energy) : 0;
        cli_progress_clear();
        printf("%-32s %5s -> %-6s %.6f\n", t->name, sv_type_get(t->type)->name, sv_type_get(type)->name, relative);
        if (relative > p->worst) {
            p->worst = relative;
            snprintf(p->where, sizeof p->where, "%s", t->name);
        }
    }
    cli_bar("quantizing", (int)n_done, (int)total);
    return cli_interrupted();
}

static int run(const cli_options *o)
{
    if (o->n_words != 3)
        return cli_usage(o->command, "it takes three words: the file to read, the file to write, the type");
    const sv_mix *mix = sv_mix_by_name(o->words[2]);
    if (!mix)
        return cli_usage(o->command, "unknown type %s", o->words[2]);
    progress p = { .verify = o->verify };
    sv_quantize_job job = { .in = o->words[0], .out = o->words[1], .mix = mix, .verify = o->verify,
                            .n_threads = o->n_threads ? o->n_threads : sv_threads_available(),
                            .step = step, .user = &p };
    sv_quantize_result r;
    svlm_error err;
    double start = sv_seconds();
    cli_watch_file(job.in);
    if (sv_quantize_file(&job, &r, &err))
        return cli_fail(&err);
    cli_progress_clear();
    if (o->verify)
        printf("largest relative error %.6f (%s)\n", p.worst, p.where);
    if (fflush(stdout) || ferror(stdout)) {
        cli_note("cannot write the output");
        return CLI_FAILED;
    }
    cli_note("%s: %zu tensors, %.1f MB to %.1f MB as %s in %.1f s", job.out, r.n_tensors, (double)r.bytes_in / 1e6,
             (double)r.bytes_out / 1e6, sv_mix_name(mix), sv_seconds() - start);
    return CLI_OK;
}

int cmd_quantize(int argc, char **argv)
{
    cli_options o;
    int rc;
    if (cli_parse(&o, CLI_QUANTIZE, argc, argv, &rc))
        rc = run(&o);
    cli_options_free(&o);
    return rc;
}
