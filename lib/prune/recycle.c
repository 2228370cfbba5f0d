/* SPDX-License-Identifier: MIT */
/* Recycling (arXiv 2410.04417, section 3.3, as the published code does it): the best
 * of the pruned rows are gathered into clusters around density peaks, and each
 * cluster goes on as one row, their mean. */
#include "prune/parts.h"

#include <math.h>
#include <string.h>

/* The published tau = 0.3 and theta = 0.1, in the same arithmetic. */
int sv_pool_size(int n_pruned)
{
    return (int)(0.3 * n_pruned) + 1;
}

int sv_cluster_count(int n_pool)
{
    return n_pool / 10 + 1;
}

size_t sv_cluster_work(int n, int width)
{
    size_t m = (size_t)n;
    return m * m + m + (size_t)width;           /* distances, peaks, one difference */
}

/* Squares of distances, divided by the width. Each is computed once and used both
 * ways: two rows nearest to each other must have equal densities, and a last bit
 * that differs by direction would decide which one leads. Differences, not the
 * Gram form: decoder rows share a few huge components that would cancel. */
static void distances(float *square, const sv_pool *p, float *diff, const sv_kernels *k)
{
    size_t n = (size_t)p->n, width = (size_t)p->width;
    for (size_t i = 0; i < n; i++) {
        square[i * n + i] = 0;
        for (size_t j = i + 1; j < n; j++) {
            memcpy(diff, p->rows + (size_t)p->member[i] * width, width * sizeof *diff);
            k->axpy_f32(diff, -1.0f, p->rows + (size_t)p->member[j] * width, p->width);
            float s = k->dot_f32(diff, diff, p->width) / (float)p->width;
            square[i * n + j] = square[j * n + i] = isnan(s) ? INFINITY : s;
        }
    }
}

/* exp(-mean of the c smallest of row[n]); the row itself, 0 away, is one of them. */
static float density(const float *row, int n, int c, float *nearest)
{
    int have = 0;
    for (int j = 0; j < n; j++) {
        if (have == c && !(row[j] < nearest[c - 1]))
            continue;
        int at = have < c ? have++ : c - 1;
        for (; at > 0 && row[j] < nearest[at - 1]; at--)
            nearest[at] = nearest[at - 1];
        nearest[at] = row[j];
    }
    double sum = 0;
    for (int i = 0; i < c; i++)
        sum += nearest[i];
    return (float)exp(-sum / c);
}

/* Distance to the nearest denser row; the largest of all for the densest. Of equal
 * densities the earlier row counts as denser, so exactly one row has no parent
 * and no random jitter is needed. */
static float parent_distance(const float *square, const float *dens, int n, int i, float largest)
{
    const float *row = square + (size_t)i * (size_t)n;
    float best = INFINITY;
    int found = 0;
    for (int j = 0; j < n; j++)
        if (dens[j] > dens[i] || (dens[j] == dens[i] && j < i)) {
            best = row[j] < best ? row[j] : best;
            found = 1;
        }
    return sqrtf(found ? best : largest);
}

/* The n_clusters largest peaks, first index on ties, by falling peak. */
static void choose_centres(int32_t *centre, int n_clusters, float *peak, int n)
{
    for (int c = 0; c < n_clusters; c++) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (peak[i] >= 0 && (best < 0 || peak[i] > peak[best]))
                best = i;
        centre[c] = best;
        peak[best] = -1;                        /* taken */
    }
}

static void assign_rows(const sv_pool *p, const float *square)
{
    for (int i = 0; i < p->n; i++) {
        const float *row = square + (size_t)i * (size_t)p->n;
        int best = 0;
        for (int c = 1; c < p->n_clusters; c++)
            if (row[p->centre[c]] < row[p->centre[best]])
                best = c;
        p->assign[i] = best;
    }
    for (int c = 0; c < p->n_clusters; c++)     /* even if another lies on top of it */
        p->assign[p->centre[c]] = c;
}

static void merge(const sv_pool *p, const sv_kernels *k)
{
    size_t width = (size_t)p->width;
    memset(p->merged, 0, (size_t)p->n_clusters * width * sizeof *p->merged);
    for (int i = 0; i < p->n; i++)
        k->add_f32(p->merged + (size_t)p->assign[i] * width,
                   p->rows + (size_t)p->member[i] * width, p->width);
    for (int c = 0; c < p->n_clusters; c++) {
        int count = 0;
        for (int i = 0; i < p->n; i++)
            count += p->assign[i] == c;
        k->scale_f32(p->merged + (size_t)c * width, 1 / ((float)count + 1e-6f), p->width);
    }
}

void sv_cluster(const sv_pool *p, float *work, const sv_kernels *k)
{
    size_t n = (size_t)p->n;
    float *square = work, *peak = work + n * n, *diff = peak + n;
    distances(square, p, diff, k);
    float largest = 0;
    for (size_t i = 0; i < n * n; i++)
        largest = square[i] > largest ? square[i] : largest;
    for (int i = 0; i < p->n; i++)
        p->density[i] = density(square + (size_t)i * n, p->n, p->n_clusters, peak);
    for (int i = 0; i < p->n; i++) {
        float g = p->density[i] * parent_distance(square, p->density, p->n, i, largest);
        peak[i] = isnan(g) ? 0 : g;
    }
    choose_centres(p->centre, p->n_clusters, peak, p->n);
    assign_rows(p, square);
    merge(p, k);
}
