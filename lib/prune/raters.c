/* SPDX-License-Identifier: MIT */
/* Raters are the text tokens that look at the picture more than the average one
 * does (arXiv 2410.04417, section 3.2), judged on the embeddings before layer 0:
 *
 *     S = V T^T,   R = softmax over the text axis,   r[t] = mean over v of R[v][t] */
#include "prune/parts.h"

#include <math.h>
#include <string.h>

/* total += softmax(x) */
static void add_softmax(double *total, float *x, int n)
{
    float max = x[0];
    for (int i = 1; i < n; i++)
        if (x[i] > max)
            max = x[i];
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    for (int i = 0; i < n; i++)
        total[i] += exp((double)x[i] - max) / sum;
}

void sv_rater_scores(float *score, const sv_rater_input *in, double *work, const sv_kernels *k)
{
    memset(work, 0, (size_t)in->n_text * sizeof *work);
    for (int v = 0; v < in->n_visual; v++) {
        const float *row = in->rows + (size_t)in->visual[v] * (size_t)in->width;
        for (int t = 0; t < in->n_text; t++)
            score[t] = k->dot_f32(in->rows + (size_t)in->text[t] * (size_t)in->width, row,
                                  in->width);
        add_softmax(work, score, in->n_text);
    }
    for (int t = 0; t < in->n_text; t++)
        score[t] = (float)(work[t] / in->n_visual);
}

/* The mean is 1 / n_text but for rounding. It is computed all the same: the double
 * sum of n equal floats is exact, so equal scores equal their mean and none is
 * above it, whatever n is. */
int sv_raters_above_mean(int32_t *raters, const float *score, int n_text)
{
    double sum = 0;
    for (int t = 0; t < n_text; t++)
        sum += score[t];
    int n = 0;
    for (int t = 0; t < n_text; t++)
        if (score[t] > sum / n_text)
            raters[n++] = t;
    return n;
}
