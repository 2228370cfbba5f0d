/* SPDX-License-Identifier: MIT */
/* Which way each product is computed, and all of them in one parallel region. */
#include "tensor/matmul.h"

#include <assert.h>

#include "base/threads.h"
#include "tensor/matmul_float.h"

#define MAX_PRODUCTS 8

/* What sv_mm.scratch points to. */
typedef struct scratch {
    float *floats;                /* [n_threads][per_thread] */
    size_t per_thread;
} scratch;

void sv_mm_layout(sv_mm *mm, sv_arena *a, const sv_kernels *k, int n_threads, int precise,
                  int max_rows, int max_in, int max_out)
{
    *mm = (sv_mm){ .k = k, .n_threads = n_threads, .precise = precise, .max_rows = max_rows,
                   .max_in = max_in, .max_out = max_out };
    size_t per_thread = sv_float_scratch(max_in);
    scratch *s = sv_take(a, 1, sizeof *s);
    float *floats = sv_take(a, (size_t)n_threads, per_thread * sizeof(float));
    if (s)
        *s = (scratch){ floats, per_thread };
    mm->scratch = s;
}

typedef struct job {
    const sv_mm *mm;
    const sv_product *p;
    const float *x;
    int n;
    int end[MAX_PRODUCTS];        /* tasks of each product and those before it */
} job;

static void run_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const scratch *s = j->mm->scratch;
    int i = 0;
    while (task >= j->end[i])
        i++;
    sv_float_task(j->mm->k, &j->p[i], j->x, j->n, task - (i ? j->end[i - 1] : 0),
                  s->floats + (size_t)thread * s->per_thread);
}

void sv_matmul_many(const sv_mm *mm, const sv_product *p, int n_products, const float *x, int n)
{
    assert(n_products <= MAX_PRODUCTS && n <= mm->max_rows);
    job j = { .mm = mm, .p = p, .x = x, .n = n };
    int n_tasks = 0;
    for (int i = 0; i < n_products; i++) {
        assert(p[i].w->n_in == p[0].w->n_in && p[i].w->n_in <= mm->max_in);
        n_tasks += sv_float_tasks(p[i].w, n);
        j.end[i] = n_tasks;
    }
    if (n > 0)
        sv_parallel(mm->n_threads, n_tasks, run_task, &j);
}

void sv_matmul(const sv_mm *mm, float *y, const float *x, int n, const sv_weight *w)
{
    sv_product p = { y, w, NULL };
    sv_matmul_many(mm, &p, 1, x, n);
}

void sv_weight_row(const sv_kernels *k, float *y, const sv_weight *w, int row)
{
    k->dequant[w->type](y, w->data + (size_t)row * w->row_bytes, (size_t)w->n_in);
}
