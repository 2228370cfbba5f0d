/* SPDX-License-Identifier: MIT */
/* How much attention the raters pay to each visual row, in the layer that prunes:
 * the probability after the causal softmax, averaged over heads and raters
 * (arXiv 2410.04417, section 3.2; not renormalised over the visual rows). */
#include "prune/parts.h"

#include <math.h>
#include <string.h>

static const float *head_row(const sv_attention *at, int head, int query)
{
    return at->a + ((size_t)head * (size_t)at->n_query + (size_t)query) * (size_t)at->n_rows;
}

static double factor(const sv_attention *at, int query, int c)
{
    return at->factor ? at->factor[(size_t)query * (size_t)at->n_columns + (size_t)c] : 1;
}

void sv_mean_over_heads(double *mean, const sv_attention *at, const int32_t *heads, int n)
{
    for (int q = 0; q < at->n_query; q++, mean += at->n_columns) {
        memset(mean, 0, (size_t)at->n_columns * sizeof *mean);
        for (int h = 0; h < n; h++) {
            const float *row = head_row(at, heads ? heads[h] : h, q);
            for (int c = 0; c < at->n_columns; c++)
                mean[c] += row[at->column[c]];
        }
        for (int c = 0; c < at->n_columns; c++)
            mean[c] = mean[c] / n * factor(at, q, c);
    }
}

void sv_head_sums(float *sum, const sv_attention *at)
{
    for (int h = 0; h < at->n_heads; h++) {
        double s = 0;
        for (int q = 0; q < at->n_query; q++) {
            const float *row = head_row(at, h, q);
            for (int c = 0; c < at->n_columns; c++)
                s += row[at->column[c]] * factor(at, q, c);
        }
        sum[h] = (float)s;
    }
}

void sv_mean_over_queries(float *score, const double *mean, const sv_attention *at,
                          const int32_t *query)
{
    for (int c = 0; c < at->n_columns; c++) {
        double s = 0;
        int n = 0;
        for (int q = 0; q < at->n_query; q++)
            if (query[q] > at->column[c]) {
                s += mean[(size_t)q * (size_t)at->n_columns + (size_t)c];
                n++;
            }
        score[c] = n ? (float)(s / n) : 0;
    }
}

/* Rotary embedding turns query and key by their positions, so all-ones vectors meet
 * in q.k / sqrt(d) = 2 / sqrt(d) * sum of cos(distance * theta_i): far rows get less
 * attention for being far. The published SparseVLM+ divides by it. It passes
 * through 0 (first at 1707 for base 10000 and d = 128), where the quotient
 * explodes or changes its sign; hence the guard. */
void sv_gravity(double *w, int n, int head_dim, double rope_base, int guard)
{
    double least = 0.05 * sqrt(head_dim);       /* w[0] is sqrt(d) */
    memset(w, 0, (size_t)n * sizeof *w);
    for (int i = 0; i < head_dim / 2; i++) {
        double theta = pow(rope_base, -2.0 * i / head_dim);
        for (int j = 0; j < n; j++)
            w[j] += 2 / sqrt(head_dim) * cos(j * theta);
    }
    for (int j = 0; guard && j < n; j++)
        w[j] = w[j] > least ? w[j] : least;
}
