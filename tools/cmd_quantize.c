/* SPDX-License-Identifier: MIT */
/* sparsevlm quantize: a smaller file of the same model. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/threads.h"
#include "cli.h"
#include "cmds.h"
#include "divergence.h"
#include "quantize_file.h"

typedef struct progress {
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
        printf("%-32s %5s -> %-6s %.6f\n", t->name, sv_type_get(t->type)->name,
               sv_type_get(type)->name, relative);
        if (relative > p->worst) {
            p->worst = relative;
            snprintf(p->where, sizeof p->where, "%s", t->name);
        }
    }
    cli_bar("quantizing", (int)n_done, (int)total);
    return cli_interrupted();
}

/* The source's and the output's logits after the same question. The other half of the
 * pair comes from -m or --mmproj. */
static int print_divergence(const cli_options *o, const sv_quantize_job *job,
                            const sv_quantize_result *r)
{
    sv_logits_job a = {.model = r->vision ? o->model : job->in,
                       .mmproj = r->vision ? job->in : o->mmproj,
                       .image = o->n_inputs ? o->inputs[0].path : NULL,
                       .text = o->prompt,
                       .n_threads = job->n_threads};
    sv_logits_job b = a;
    *(r->vision ? &b.mmproj : &b.model) = job->out;
    float *x = NULL, *y = NULL;
    int n, m, rc = CLI_OK;
    svlm_error err;
    if (!a.model)
        return cli_usage(o->command, "an mmproj file answers together with a language model: -m");
    if (sv_logits_after(&x, &n, &a, &err) || sv_logits_after(&y, &m, &b, &err)) {
        rc = cli_fail(&err);
    } else {
        sv_divergence d = sv_divergence_of(x, y, n < m ? n : m);
        printf("logits differ by %.4g on average, %.4g at most; divergence %.4g nats; the first "
               "token is %s\n",
               d.mean, d.max, d.kl, d.same_top ? "the same" : "another");
    }
    sv_free(x);
    sv_free(y);
    return rc;
}

static int check_words(const cli_options *o)
{
    if (o->n_words != 3)
        return cli_usage(o->command,
                         "it takes three words: the file to read, the file to write, the type");
    if (!sv_mix_by_name(o->words[2]))
        return cli_usage(o->command, "unknown type %s", o->words[2]);
    if (o->prompt && !o->verify)
        return cli_usage(o->command, "-p is a question for --verify");
    if (o->n_inputs && !o->prompt)
        return cli_usage(o->command, "a picture needs a question: -p");
    return CLI_OK;
}

static int run(const cli_options *o)
{
    int rc = check_words(o);
    if (rc)
        return rc;
    progress p = { .worst = 0 };
    sv_quantize_job job = {.in = o->words[0],
                           .out = o->words[1],
                           .mix = sv_mix_by_name(o->words[2]),
                           .n_threads = o->n_threads ? o->n_threads : sv_threads_available(),
                           .verify = o->verify,
                           .step = step,
                           .user = &p};
    sv_quantize_result r;
    svlm_error err;
    double start = sv_seconds();
    cli_watch_file(job.in);
    if (sv_quantize_file(&job, &r, &err))
        return cli_fail(&err);
    cli_progress_clear();
    cli_note("%s: %zu tensors, %.1f MB to %.1f MB as %s in %.1f s", job.out, r.n_tensors,
             (double)r.bytes_in / 1e6, (double)r.bytes_out / 1e6, sv_mix_name(job.mix),
             sv_seconds() - start);
    if (o->verify)
        printf("largest relative error %.6f (%s)\n", p.worst, p.where);
    if (o->prompt)
        rc = print_divergence(o, &job, &r);
    if (fflush(stdout) || ferror(stdout)) {
        cli_note("cannot write the output");
        return CLI_FAILED;
    }
    return rc;
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
