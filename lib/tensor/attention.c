/* SPDX-License-Identifier: MIT */
/* Attention, one head and one block of queries a task: their scores over all keys,
 * softmax, the mean of the values. Blocks depend on the shapes alone, so results do
 * not depend on the number of threads. */
#include "tensor/attention.h"

#include <assert.h>
#include <string.h>

#include "base/threads.h"
#include "tensor/matmul_blas.h"

#define BLOCK_QUERIES 64          /* queries of one task */
#define BLOCK_SCORES (1 << 18)    /* fewer of them, where there are so many keys */
#define BLOCK_KEYS 256            /* halves expanded to floats at a time */
#define FEW_QUERIES 4             /* up to here keys are read once, by dot products */

static int block_queries(const sv_attention *a)
{
    int fit = a->n_rows > 0 ? BLOCK_SCORES / a->n_rows : BLOCK_QUERIES;
    return fit < 1 ? 1 : fit < BLOCK_QUERIES ? fit : BLOCK_QUERIES;
}

void sv_attention_layout(sv_attention_scratch *s, sv_arena *a, const sv_kernels *k, int n_threads,
                         int max_head_dim, int max_rows)
{
    size_t scores = max_rows > BLOCK_SCORES ? (size_t)max_rows : BLOCK_SCORES;
    size_t keys = (size_t)BLOCK_KEYS * (size_t)max_head_dim;
    *s = (sv_attention_scratch){ .k = k, .n_threads = n_threads, .per_thread = scores + keys };
    s->floats = sv_take(a, (size_t)n_threads, s->per_thread * sizeof(float));
}

/* What a task works on. */
typedef struct block {
    const sv_kernels *k;
    const sv_attention *a;
    int head, first, n;           /* queries first .. first + n - 1 */
    int n_keys;                   /* that the last of them sees     */
    float *score;                 /* [n][n_keys]                    */
    float *keys;                  /* [BLOCK_KEYS][head_dim]         */
} block;

static int limit_of(const sv_attention *a, int query)
{
    return a->limit ? a->limit[query] : a->n_rows;
}

static const float *query_row(const block *b, int i)
{
    const sv_attention *a = b->a;
    return a->q + (size_t)(b->first + i) * a->q_stride + (size_t)b->head * a->head_dim;
}

/* Element index of row i of the block's head. */
static size_t element(const block *b, const sv_kv_rows *r, int i)
{
    int kv_head = b->head / (b->a->n_heads / b->a->n_kv_heads);
    return (size_t)i * r->row_stride + (size_t)kv_head * r->head_stride;
}

static const float *floats_at(const block *b, const sv_kv_rows *r, int i)
{
    return (const float *)r->data + element(b, r, i);
}

static const uint16_t *halves_at(const block *b, const sv_kv_rows *r, int i)
{
    return (const uint16_t *)r->data + element(b, r, i);
}

/* n rows from i as floats: where they lie, or expanded. */
static const float *expand(const block *b, const sv_kv_rows *r, int i, int n, size_t *stride)
{
    if (!r->f16) {
        *stride = r->row_stride;
        return floats_at(b, r, i);
    }
    size_t dim = (size_t)b->a->head_dim;
    for (int j = 0; j < n; j++)
        b->k->f16_to_f32(b->keys + (size_t)j * dim, halves_at(b, r, i + j), dim);
    *stride = dim;
    return b->keys;
}

static int is_few(const block *b)
{
    return b->n <= FEW_QUERIES;
}

static void score_few(const block *b)
{
    const sv_kv_rows *key = &b->a->k;
    int dim = b->a->head_dim;
    for (int j = 0; j < b->n_keys; j++)
        for (int i = 0; i < b->n; i++)
            b->score[(size_t)i * b->n_keys + j] =
                key->f16 ? b->k->dot_f16(halves_at(b, key, j), query_row(b, i), dim)
                         : b->k->dot_f32(floats_at(b, key, j), query_row(b, i), dim);
}

static void score_many(const block *b)
{
    const sv_attention *a = b->a;
    for (int j = 0; j < b->n_keys; j += BLOCK_KEYS) {
        int n = b->n_keys - j < BLOCK_KEYS ? b->n_keys - j : BLOCK_KEYS;
        size_t stride;
        const float *keys = expand(b, &a->k, j, n, &stride);
        sv_gemm_nt(b->k, b->score + j, b->n_keys, query_row(b, 0), (int)a->q_stride, keys,
                   (int)stride, b->n, n, a->head_dim, 0);
    }
}

/* Probabilities of the block's queries, in b->score; 0 beyond a query's limit. */
static void probabilities(const block *b)
{
    if (is_few(b))
        score_few(b);
    else
        score_many(b);
    for (int i = 0; i < b->n; i++) {
        float *row = b->score + (size_t)i * b->n_keys;
        int limit = limit_of(b->a, b->first + i);
        assert(limit >= 1 && limit <= b->n_keys);
        b->k->scale_f32(row, b->a->scale, limit);
        b->k->softmax(row, limit);
        memset(row + limit, 0, (size_t)(b->n_keys - limit) * sizeof *row);
    }
}

static void values_few(const block *b, float *out, size_t stride)
{
    const sv_kv_rows *value = &b->a->v;
    int dim = b->a->head_dim;
    for (int i = 0; i < b->n; i++)
        memset(out + (size_t)i * stride, 0, (size_t)dim * sizeof *out);
    for (int j = 0; j < b->n_keys; j++)
        for (int i = 0; i < b->n; i++) {
            float p = b->score[(size_t)i * b->n_keys + j], *y = out + (size_t)i * stride;
            if (value->f16)
                b->k->axpy_f16(y, p, halves_at(b, value, j), dim);
            else
                b->k->axpy_f32(y, p, floats_at(b, value, j), dim);
        }
}

static void values_many(const block *b, float *out, size_t stride)
{
    const sv_attention *a = b->a;
    for (int j = 0; j < b->n_keys; j += BLOCK_KEYS) {
        int n = b->n_keys - j < BLOCK_KEYS ? b->n_keys - j : BLOCK_KEYS;
        size_t value_stride;
        const float *values = expand(b, &a->v, j, n, &value_stride);
        sv_gemm_nn(b->k, out, (int)stride, b->score + j, b->n_keys, values, (int)value_stride, b->n,
                   a->head_dim, n, j > 0);
    }
}

typedef struct job {
    const sv_attention_scratch *s;
    const sv_attention *a;
    float *out;
    size_t out_stride;
    int first_column;             /* of probabilities */
    int n_blocks;                 /* of queries       */
} job;

static block block_of(const job *j, int task, int thread)
{
    const sv_attention *a = j->a;
    int size = block_queries(a);
    block b = { .k = j->s->k, .a = a, .head = task / j->n_blocks,
                .first = task % j->n_blocks * size };
    b.n = a->n_query - b.first < size ? a->n_query - b.first : size;
    b.n_keys = limit_of(a, b.first + b.n - 1);
    b.keys = j->s->floats + (size_t)thread * j->s->per_thread;
    b.score = b.keys + (size_t)BLOCK_KEYS * a->head_dim;
    return b;
}

static void run_block(void *arg, int task, int thread)
{
    const job *j = arg;
    block b = block_of(j, task, thread);
    float *out = j->out + (size_t)b.first * j->out_stride + (size_t)b.head * b.a->head_dim;
    probabilities(&b);
    if (is_few(&b))
        values_few(&b, out, j->out_stride);
    else
        values_many(&b, out, j->out_stride);
}

static void copy_probabilities(void *arg, int task, int thread)
{
    const job *j = arg;
    block b = block_of(j, task, thread);
    size_t n_columns = (size_t)(b.a->n_rows - j->first_column);
    size_t n_seen = b.n_keys > j->first_column ? (size_t)(b.n_keys - j->first_column) : 0;
    probabilities(&b);
    for (int i = 0; i < b.n; i++) {
        float *row = j->out + ((size_t)b.head * b.a->n_query + (size_t)(b.first + i)) * n_columns;
        memcpy(row, b.score + (size_t)i * b.n_keys + j->first_column, n_seen * sizeof *row);
        memset(row + n_seen, 0, (n_columns - n_seen) * sizeof *row);
    }
}

static void run(const job *j, sv_task_fn fn)
{
    job whole = *j;
    int size = block_queries(j->a);
    whole.n_blocks = (j->a->n_query + size - 1) / size;
    double work = 2.0 * j->a->n_heads * j->a->n_query * j->a->n_rows * j->a->head_dim;
    sv_parallel(sv_threads_for(j->s->n_threads, work), j->a->n_heads * whole.n_blocks, fn, &whole);
}

void sv_attention_run(const sv_attention_scratch *s, float *out, size_t out_stride,
                      const sv_attention *a)
{
    run(&(job){ .s = s, .a = a, .out = out, .out_stride = out_stride }, run_block);
}

void sv_attention_probabilities(const sv_attention_scratch *s, float *p, int first,
                                const sv_attention *a)
{
    run(&(job){ .s = s, .a = a, .out = p, .first_column = first }, copy_probabilities);
}
