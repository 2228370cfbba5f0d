/* SPDX-License-Identifier: MIT */
/* Which way each product is computed, and all of them in one parallel region. */
#include "tensor/matmul.h"

#include <assert.h>

#include "base/threads.h"
#include "tensor/matmul_float.h"
#include "tensor/matmul_quant.h"

#define MAX_PRODUCTS 8

/* What sv_mm.scratch points to. */
typedef struct scratch {
    char *room;                   /* [n_threads][per_thread] bytes          */
    size_t per_thread;
    sv_qtoken *act;               /* the rows in 8 bits; NULL if precise    */
} scratch;

void sv_mm_layout(sv_mm *mm, sv_arena *a, const sv_kernels *k, int n_threads, int precise,
                  int max_rows, int max_in, int max_out)
{
    *mm = (sv_mm){ .k = k, .n_threads = n_threads, .precise = precise, .max_rows = max_rows,
                   .max_in = max_in, .max_out = max_out };
    size_t per_thread = sv_float_scratch(max_in) * sizeof(float);
    if (!precise && per_thread < sv_quant_scratch())
        per_thread = sv_quant_scratch();
    scratch *s = sv_take(a, 1, sizeof *s);
    char *room = sv_take(a, (size_t)n_threads, per_thread);
    void *act = precise ? NULL : sv_take(a, 1, sv_quant_act_bytes(max_rows, max_in));
    if (s)
        *s = (scratch){ room, per_thread, act };
    mm->scratch = s;
}

typedef struct job {
    const sv_mm *mm;
    const sv_product *p;
    const float *x;
    int n;
    int end[MAX_PRODUCTS];        /* tasks of each product and those before it */
} job;

static int is_fast(const sv_mm *mm, const sv_weight *w)
{
    return !mm->precise && sv_quant_supported(mm->k, w);
}

static void run_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const scratch *s = j->mm->scratch;
    void *room = s->room + (size_t)thread * s->per_thread;
    int i = 0;
    while (task >= j->end[i])
        i++;
    task -= i ? j->end[i - 1] : 0;
    if (is_fast(j->mm, j->p[i].w))
        sv_quant_task(j->mm->k, &j->p[i], s->act, j->n, task, room);
    else
        sv_float_task(j->mm->k, &j->p[i], j->x, j->n, task, room);
}

static void quantise_group(void *arg, int group, int thread)
{
    const job *j = arg;
    const scratch *s = j->mm->scratch;
    (void)thread;
    sv_quant_act(j->mm->k, s->act, j->x, j->n, j->p[0].w->n_in, group);
}

void sv_matmul_many(const sv_mm *mm, const sv_product *p, int n_products, const float *x, int n)
{
    assert(n_products <= MAX_PRODUCTS && n <= mm->max_rows);
    job j = { .mm = mm, .p = p, .x = x, .n = n };
    int n_tasks = 0, n_fast = 0;
    double work = 0;
    for (int i = 0; i < n_products; i++) {
        const sv_weight *w = p[i].w;
        assert(w->n_in == p[0].w->n_in && w->n_in <= mm->max_in);
        n_fast += is_fast(mm, w);
        n_tasks += is_fast(mm, w) ? sv_quant_tasks(w, n) : sv_float_tasks(w, n);
        j.end[i] = n_tasks;
        work += (double)n * w->n_in * w->n_out;
    }
    int n_threads = sv_threads_for(mm->n_threads, work);
    if (n > 0 && n_fast > 0)
        sv_parallel(n_threads, sv_quant_groups(n), quantise_group, &j);
    if (n > 0)
        sv_parallel(n_threads, n_tasks, run_task, &j);
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
