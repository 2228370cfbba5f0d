/* SPDX-License-Identifier: MIT */
/* The numerical rank of a raters x visual matrix, from its singular values.
 *
 * LAPACK could do it, but a build --without-blas has none, OpenBLAS may come
 * without its LAPACK half, and the matrix is small: 10 x 576 as a rule, 150 x 576
 * at worst. Householder reflections shrink it to the smaller side without losing
 * accuracy (a Gram matrix would square the condition number), then one-sided
 * Jacobi rotations make the rows orthogonal; their lengths are the singular
 * values, small ones included to full relative accuracy (Demmel and Veselic,
 * "Jacobi's method is more accurate than QR", 1992). */
#include "prune/parts.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_SWEEPS = 40 };         /* ten are the rule; convergence is quadratic */

static double dot(const double *x, const double *y, int n)
{
    double s[4] = { 0 };
    int i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++)
            s[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        s[0] += x[i] * y[i];
    return s[0] + s[1] + (s[2] + s[3]);
}

/* a[m][n], m <= n, becomes lower triangular: each row's tail is reflected onto its
 * first element, and the rows below with it. */
static void triangulate(double *a, int m, int n)
{
    for (int i = 0; i < m; i++) {
        double *v = a + (size_t)i * (size_t)n + i;
        int len = n - i;
        double norm = sqrt(dot(v, v, len));
        if (norm == 0)
            continue;
        double alpha = v[0] > 0 ? -norm : norm;
        v[0] -= alpha;                          /* the reflector I - 2 v v^T / v.v */
        double vv = dot(v, v, len);
        for (int r = i + 1; r < m; r++) {
            double *y = a + (size_t)r * (size_t)n + i;
            double f = 2 * dot(v, y, len) / vv;
            for (int c = 0; c < len; c++)
                y[c] -= f * v[c];
        }
        memset(v, 0, (size_t)len * sizeof *v);
        v[0] = alpha;
    }
}

/* Turns rows x and y so that they become orthogonal; 0 if they were. */
static int rotate(double *x, double *y, int n)
{
    double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);
    if (fabs(xy) <= DBL_EPSILON * sqrt(xx * yy))
        return 0;
    double zeta = (yy - xx) / (2 * xy);
    double t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    double c = 1 / sqrt(1 + t * t), s = c * t;
    for (int i = 0; i < n; i++) {
        double xi = x[i], yi = y[i];
        x[i] = c * xi - s * yi;
        y[i] = s * xi + c * yi;
    }
    return 1;
}

static void sort_descending(double *x, int n)
{
    for (int i = 1; i < n; i++) {
        double v = x[i];
        int j = i;
        for (; j > 0 && x[j - 1] < v; j--)
            x[j] = x[j - 1];
        x[j] = v;
    }
}

static int all_finite(const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]))
            return 0;
    return 1;
}

void sv_singular_values(double *sigma, double *a, int m, int n, double *work)
{
    size_t size = (size_t)m * (size_t)n;
    int rows = m < n ? m : n, width = m < n ? n : m;
    memset(sigma, 0, (size_t)rows * sizeof *sigma);
    if (!all_finite(a, size))
        return;
    if (m > n)                                  /* the transpose has the same values */
        for (size_t i = 0; i < size; i++)
            work[i % (size_t)n * (size_t)m + i / (size_t)n] = a[i];
    else
        memcpy(work, a, size * sizeof *a);
    triangulate(work, rows, width);
    for (int sweep = 0, turned = 1; turned && sweep < MAX_SWEEPS; sweep++) {
        turned = 0;
        for (int i = 0; i < rows; i++)
            for (int j = i + 1; j < rows; j++)
                turned |= rotate(work + (size_t)i * (size_t)width,
                                 work + (size_t)j * (size_t)width, rows);
    }
    for (int i = 0; i < rows; i++) {
        const double *row = work + (size_t)i * (size_t)width;
        sigma[i] = sqrt(dot(row, row, rows));
    }
    sort_descending(sigma, rows);
}

int sv_numerical_rank(const double *sigma, int m, int n)
{
    double least = (m > n ? m : n) * (double)FLT_EPSILON * sigma[0];
    int rank = 0;
    while (rank < m && rank < n && sigma[rank] > least)
        rank++;
    return rank;
}
