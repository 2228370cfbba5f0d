/* SPDX-License-Identifier: MIT */
/* How far apart two versions of a model are: their logits after the same prompt. */
#ifndef TOOLS_DIVERGENCE_H
#define TOOLS_DIVERGENCE_H

#include "base/status.h"

typedef struct sv_logits_job {
    const char *model, *mmproj;   /* mmproj NULL: text only             */
    const char *image, *text;     /* image NULL: none; needs the mmproj */
    int n_threads;
} sv_logits_job;

/* The logits after the prompt, without pruning, on the precise path, so that only the
 * weights make a difference. *out is to be freed with sv_free. */
svlm_status sv_logits_after(float **out, int *n, const sv_logits_job *job, svlm_error *err);

typedef struct sv_divergence {
    double mean, max;             /* of the absolute difference per logit            */
    double kl;                    /* of b's distribution from a's, in nats           */
    int same_top;                 /* the likeliest token is the same                 */
} sv_divergence;

sv_divergence sv_divergence_of(const float *a, const float *b, int n);

#endif
