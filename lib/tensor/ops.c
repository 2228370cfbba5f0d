/* SPDX-License-Identifier: MIT */
/* The kernels over rows, a few rows a task. */
#include "tensor/ops.h"

#include <math.h>
#include <stddef.h>

#include "base/threads.h"

#define CHUNK 16                  /* rows in a task */

typedef struct job job;
typedef void (*row_fn)(const job *j, size_t at);      /* one row, whose first element is at */

struct job {
    const sv_kernels *k;
    row_fn fn;
    float *y;
    const float *x, *a, *b;
    int n_rows, n;
    float eps;
};

static void run_chunk(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    int end = task * CHUNK + CHUNK < j->n_rows ? task * CHUNK + CHUNK : j->n_rows;
    for (int r = task * CHUNK; r < end; r++)
        j->fn(j, (size_t)r * j->n);
}

static void for_rows(const sv_mm *mm, job j)
{
    j.k = mm->k;
    sv_parallel(mm->n_threads, (j.n_rows + CHUNK - 1) / CHUNK, run_chunk, &j);
}

static void rms_norm_row(const job *j, size_t at)
{
    j->k->rms_norm(j->y + at, j->x + at, j->a, j->n, j->eps);
}

static void layer_norm_row(const job *j, size_t at)
{
    j->k->layer_norm(j->y + at, j->x + at, j->a, j->b, j->n, j->eps);
}

static void add_row(const job *j, size_t at)
{
    j->k->add_f32(j->y + at, j->x + at, j->n);
}

static void silu_mul_row(const job *j, size_t at)
{
    j->k->silu_mul(j->y + at, j->x + at, j->a + at, j->n);
}

static void gelu_row(const job *j, size_t at)
{
    j->k->gelu(j->y + at, j->n);
}

static void gelu_quick_row(const job *j, size_t at)
{
    j->k->gelu_quick(j->y + at, j->n);
}

/* No kernel: towers with SiLU are rare. */
static void silu_row(const job *j, size_t at)
{
    for (int i = 0; i < j->n; i++)
        j->y[at + (size_t)i] /= 1.0f + expf(-j->y[at + (size_t)i]);
}

void sv_rms_norm(const sv_mm *mm, float *y, const float *x, const float *w, int n_rows, int n,
                 float eps)
{
    for_rows(mm, (job){ .fn = rms_norm_row, .y = y, .x = x, .a = w, .n_rows = n_rows, .n = n,
                        .eps = eps });
}

void sv_layer_norm(const sv_mm *mm, float *y, const float *x, const float *w, const float *b,
                   int n_rows, int n, float eps)
{
    for_rows(mm, (job){ .fn = layer_norm_row, .y = y, .x = x, .a = w, .b = b, .n_rows = n_rows,
                        .n = n, .eps = eps });
}

void sv_add(const sv_mm *mm, float *y, const float *x, int n_rows, int n)
{
    for_rows(mm, (job){ .fn = add_row, .y = y, .x = x, .n_rows = n_rows, .n = n });
}

void sv_silu_mul(const sv_mm *mm, float *y, const float *gate, const float *up, int n_rows, int n)
{
    for_rows(mm, (job){ .fn = silu_mul_row, .y = y, .x = gate, .a = up, .n_rows = n_rows, .n = n });
}

void sv_gelu(const sv_mm *mm, float *x, int n_rows, int n)
{
    for_rows(mm, (job){ .fn = gelu_row, .y = x, .n_rows = n_rows, .n = n });
}

void sv_gelu_quick(const sv_mm *mm, float *x, int n_rows, int n)
{
    for_rows(mm, (job){ .fn = gelu_quick_row, .y = x, .n_rows = n_rows, .n = n });
}

void sv_silu(const sv_mm *mm, float *x, int n_rows, int n)
{
    for_rows(mm, (job){ .fn = silu_row, .y = x, .n_rows = n_rows, .n = n });
}

int sv_all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}
