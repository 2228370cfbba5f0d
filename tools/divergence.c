/* SPDX-License-Identifier: MIT */
/* One question through the public interface, and the distance between two answers' first
 * logits. */
#include "divergence.h"

#include <math.h>
#include <sparsevlm/sparsevlm.h>

#include "base/alloc.h"

static svlm_status add_image(svlm_chat *chat, svlm_model *model, const char *path, svlm_error *err)
{
    svlm_image *image = NULL;
    svlm_features *features = NULL;
    svlm_status st;
    if (!(st = svlm_image_open(&image, path, NULL, err)) &&
        !(st = svlm_features_encode(&features, model, image, NULL, err)))
        st = svlm_chat_add_features(chat, features, err);
    svlm_features_close(features);
    svlm_image_close(image);
    return st;
}

static svlm_status copy_logits(float **out, int *n, svlm_chat *chat, svlm_error *err)
{
    const float *logits = svlm_chat_logits(chat, n);
    if (!logits)
        return sv_fail(err, SVLM_ERR_NUMERIC, "the model gave no logits");
    if (!(*out = sv_malloc(SV_MEM_TEMP, (size_t)*n, sizeof **out)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %d logits", *n);
    memcpy(*out, logits, (size_t)*n * sizeof **out);
    return SVLM_OK;
}

svlm_status sv_logits_after(float **out, int *n, const sv_logits_job *job, svlm_error *err)
{
    svlm_model_options mo;
    svlm_chat_options co;
    svlm_model *model = NULL;
    svlm_chat *chat = NULL;
    svlm_status st;
    SVLM_INIT(&mo);
    SVLM_INIT(&co);
    mo.model_path = job->model;
    mo.mmproj_path = job->mmproj;
    mo.precise = 1;
    mo.n_threads = job->n_threads;
    *out = NULL;
    if (!(st = svlm_model_open(&model, &mo, err)) &&
        !(st = svlm_chat_new(&chat, model, &co, err)) &&
        !(st = job->image ? add_image(chat, model, job->image, err) : SVLM_OK) &&
        !(st = svlm_chat_add_text(chat, job->text, err)) &&
        !(st = svlm_chat_ask(chat, err)))
        st = copy_logits(out, n, chat, err);
    svlm_chat_free(chat);
    svlm_model_close(model);
    return st;
}

/* log(sum(exp(x))), and where the largest is. */
static double log_sum(const float *x, int n, int *top)
{
    double sum = 0;
    *top = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[*top])
            *top = i;
    for (int i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)x[*top]);
    return (double)x[*top] + log(sum);
}

sv_divergence sv_divergence_of(const float *a, const float *b, int n)
{
    sv_divergence d = { 0, 0, 0, 0 };
    int top_a, top_b;
    double norm_a = log_sum(a, n, &top_a), norm_b = log_sum(b, n, &top_b);
    for (int i = 0; i < n; i++) {
        double off = fabs((double)a[i] - (double)b[i]), log_p = (double)a[i] - norm_a;
        d.mean += off / n;
        d.max = fmax(d.max, off);
        d.kl += exp(log_p) * (log_p - ((double)b[i] - norm_b));
    }
    d.same_top = top_a == top_b;
    return d;
}
