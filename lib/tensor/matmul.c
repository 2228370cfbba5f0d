/* SPDX-License-Identifier: MIT */
/* Which way each product is computed, and all of them in one parallel region. */
#include "tensor/matmul.h"

#include <assert.h>

#include "base/threads.h"
#include "tensor/matmul_bf16.h"
#include "tensor/matmul_float.h"
#include "tensor/matmul_quant.h"

#define MAX_PRODUCTS 8

/* What sv_mm.scratch points to. */
typedef struct scratch {
    char *room;                   /* [n_threads][per_thread] bytes          */
    size_t per_thread;
    void *act;                    /* the rows in 8 bits or bfloat16; NULL if precise */
} scratch;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void sv_mm_layout(sv_mm *mm, sv_arena *a, const sv_kernels *k, int n_threads, int precise,
                  int max_rows, int max_in, int max_out)
{
    *mm = (sv_mm){ .k = k, .n_threads = n_threads, .precise = precise, .max_rows = max_rows,
                   .max_in = max_in, .max_out = max_out };
    size_t per_thread = sv_float_scratch() * sizeof(float), act_bytes = 0;
    if (!precise) {
        per_thread = larger(per_thread, larger(sv_quant_scratch(), sv_bf16_scratch(max_in)));
        act_bytes = larger(sv_quant_act_bytes(max_rows, max_in), sv_bf16_act_bytes(max_rows, max_in));
    }
    scratch *s = sv_take(a, 1, sizeof *s);
    char *room = sv_take(a, (size_t)n_threads, per_thread);
    void *act = precise ? NULL : sv_take(a, 1, act_bytes);
    if (s)
        *s = (scratch){ room, per_thread, act };
    mm->scratch = s;
}

typedef enum path { FLOAT, QUANT, BF16 } path;

typedef struct job {
    const sv_mm *mm;
    const sv_product *p;
    const float *x;
    int n;
    path rounding;                /* what all but FLOAT products of this job read x as */
    path path[MAX_PRODUCTS];
    int end[MAX_PRODUCTS];        /* tasks of each product and those before it */
} job;

static path path_of(const sv_mm *mm, const sv_weight *w, int n)
{
    if (mm->precise)
        return FLOAT;
    if (sv_quant_supported(mm->k, w))
        return QUANT;
    return mm->bf16 && sv_bf16_supported(mm->k, w, n) ? BF16 : FLOAT;
}

/* There is room for one kind of rounded rows: the first product that has one decides. */
static void choose_paths(job *j, int n_products)
{
    for (int i = 0; i < n_products; i++) {
        path way = path_of(j->mm, j->p[i].w, j->n);
        if (j->rounding == FLOAT)
            j->rounding = way;
        j->path[i] = way == j->rounding ? way : FLOAT;
    }
}

static int n_tasks_of(const job *j, int i)
{
    const sv_weight *w = j->p[i].w;
    return j->path[i] == QUANT ? sv_quant_tasks(w, j->n)
         : j->path[i] == BF16  ? sv_bf16_tasks(w)
                               : sv_float_tasks(w, j->n);
}

static void run_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const sv_kernels *k = j->mm->k;
    const scratch *s = j->mm->scratch;
    void *room = s->room + (size_t)thread * s->per_thread;
    int i = 0;
    while (task >= j->end[i])
        i++;
    task -= i ? j->end[i - 1] : 0;
    if (j->path[i] == QUANT)
        sv_quant_task(k, &j->p[i], s->act, j->n, task, room);
    else if (j->path[i] == BF16)
        sv_bf16_task(k, &j->p[i], s->act, j->n, task, room);
    else
        sv_float_task(k, &j->p[i], j->x, j->n, task, room);
}

static void round_group(void *arg, int group, int thread)
{
    const job *j = arg;
    const scratch *s = j->mm->scratch;
    int n_in = j->p[0].w->n_in;
    (void)thread;
    if (j->rounding == QUANT)
        sv_quant_act(j->mm->k, s->act, j->x, j->n, n_in, group);
    else
        sv_bf16_act(j->mm->k, s->act, j->x, j->n, n_in, group);
}

void sv_matmul_many(const sv_mm *mm, const sv_product *p, int n_products, const float *x, int n)
{
    assert(n_products <= MAX_PRODUCTS && n <= mm->max_rows);
    job j = { .mm = mm, .p = p, .x = x, .n = n };
    int n_tasks = 0;
    double work = 0;
    choose_paths(&j, n_products);
    for (int i = 0; i < n_products; i++) {
        const sv_weight *w = p[i].w;
        assert(w->n_in == p[0].w->n_in && w->n_in <= mm->max_in);
        n_tasks += n_tasks_of(&j, i);
        j.end[i] = n_tasks;
        work += (double)n * w->n_in * w->n_out;
    }
    int n_threads = sv_threads_for(mm->n_threads, work);
    if (n > 0 && j.rounding != FLOAT)
        sv_parallel(n_threads, sv_quant_groups(n), round_group, &j);
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
