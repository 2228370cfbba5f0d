/* SPDX-License-Identifier: MIT */
/* Attention, one head and one block of queries a task, or a few queries and all heads that
 * share keys: their scores over all keys, softmax, the mean of the values. Sixteen keys, then
 * sixteen dimensions, are the lanes of small products (gemm_panel); a group of sixteen queries
 * stops where its last one's sight ends. Blocks depend on the shapes alone, so results do not
 * depend on the number of threads. */
#include "tensor/attention.h"

#include <string.h>

#include "base/threads.h"

#define BLOCK_QUERIES 128         /* queries of one task */
#define BLOCK_SCORES (1 << 18)    /* fewer of them, where there are so many keys */
#define BLOCK_KEYS 64             /* values expanded to floats at a time */
#define FEW_QUERIES 4             /* of one head: up to here keys are read once, by dot products */

/* Length of a row of scores: whole panels, and an odd number of cache lines, so that rows do
 * not fall into the same sets. */
static size_t score_stride(int n_keys)
{
    return (((size_t)n_keys + SV_PANEL_ROWS - 1) / SV_PANEL_ROWS | 1) * SV_PANEL_ROWS;
}

static size_t whole_panels(int dim)
{
    return ((size_t)dim + SV_PANEL_ROWS - 1) / SV_PANEL_ROWS * SV_PANEL_ROWS;
}

static int block_queries(const sv_attention *a)
{
    size_t fit = BLOCK_SCORES / score_stride(a->n_rows);
    return fit < 1 ? 1 : fit < BLOCK_QUERIES ? (int)fit : BLOCK_QUERIES;
}

/* Query heads of a task: where all queries and the heads that share their keys make no more
 * than a group, keys and values are read once for all of them. */
static int block_heads(const sv_attention *a)
{
    int shared = a->n_heads / a->n_kv_heads, limit = block_queries(a);
    return a->n_query * shared <= (limit < SV_GROUP ? limit : SV_GROUP) ? shared : 1;
}

void sv_attention_layout(sv_attention_scratch *s, sv_arena *a, const sv_kernels *k, int n_threads,
                         int max_head_dim, int max_rows)
{
    size_t dim = whole_panels(max_head_dim), scores = score_stride(max_rows);
    if (scores < BLOCK_SCORES)
        scores = BLOCK_SCORES;
    size_t rows = 2 * BLOCK_QUERIES + BLOCK_KEYS + SV_PANEL_ROWS;
    *s = (sv_attention_scratch){ .k = k, .n_threads = n_threads, .per_thread = scores + rows * dim };
    s->floats = sv_take(a, (size_t)n_threads, s->per_thread * sizeof(float));
}

/* What a task works on. */
typedef struct block {
    const sv_kernels *k;
    const sv_attention *a;
    int head, heads;              /* the heads from head on         */
    int first, n;                 /* rows: query first of each head, query first + 1 ... */
    int n_keys;                   /* that the last of them sees     */
    size_t stride;                /* of the scores                  */
    size_t dim;                   /* head_dim, or more with zeros   */
    float *score;                 /* [n][stride]                    */
    float *query, *out;           /* [BLOCK_QUERIES][dim]           */
    float *rows;                  /* [BLOCK_KEYS][dim] keys or values as floats */
    float *panel;                 /* [dim][16] keys                 */
} block;

static int limit_of(const sv_attention *a, int query)
{
    return a->limit ? a->limit[query] : a->n_rows;
}

static int query_of(const block *b, int i)
{
    return b->first + i / b->heads;
}

static int head_of(const block *b, int i)
{
    return b->head + i % b->heads;
}

/* Where row i begins among rows of all heads, stride apart. */
static size_t place_of(const block *b, int i, size_t stride)
{
    return (size_t)query_of(b, i) * stride + (size_t)head_of(b, i) * (size_t)b->a->head_dim;
}

static const float *query_row(const block *b, int i)
{
    return b->a->q + place_of(b, i, b->a->q_stride);
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

/* n rows from i to b->rows. */
static void expand(const block *b, const sv_kv_rows *r, int i, int n)
{
    size_t dim = (size_t)b->a->head_dim;
    for (int j = 0; j < n; j++) {
        float *to = b->rows + (size_t)j * b->dim;
        if (r->f16)
            b->k->f16_to_f32(to, halves_at(b, r, i + j), dim);
        else
            memcpy(to, floats_at(b, r, i + j), dim * sizeof *to);
        memset(to + dim, 0, (b->dim - dim) * sizeof *to);
    }
}

static int is_few(const block *b)
{
    return b->heads == 1 && b->n <= FEW_QUERIES;
}

static void score_few(const block *b)
{
    const sv_kv_rows *key = &b->a->k;
    const float *q = query_row(b, 0);
    size_t stride = b->a->q_stride;
    int dim = b->a->head_dim;
    for (int j = 0; j < b->n_keys; j++)
        for (int i = 0; i < b->n; i++)
            b->score[(size_t)i * b->stride + (size_t)j] =
                key->f16 ? b->k->dot_f16(halves_at(b, key, j), q + (size_t)i * stride, dim)
                         : b->k->dot_f32(floats_at(b, key, j), q + (size_t)i * stride, dim);
}

/* Queries of the group that begins at i. */
static int group_size(const block *b, int i)
{
    return b->n - i < SV_GROUP ? b->n - i : SV_GROUP;
}

/* Keys that any query of the group sees. */
static int group_limit(const block *b, int i)
{
    return limit_of(b->a, query_of(b, i + group_size(b, i) - 1));
}

static void score_many(const block *b)
{
    int dim = b->a->head_dim;
    for (int i = 0; i < b->n; i++) {
        memcpy(b->query + (size_t)i * b->dim, query_row(b, i), (size_t)dim * sizeof *b->query);
        b->k->scale_f32(b->query + (size_t)i * b->dim, b->a->scale, dim);
    }
    for (int j = 0; j < b->n_keys; j += SV_PANEL_ROWS) {
        int n = b->n_keys - j < SV_PANEL_ROWS ? b->n_keys - j : SV_PANEL_ROWS;
        expand(b, &b->a->k, j, n);
        b->k->panel_f32(b->panel, b->rows, b->dim, n, dim);
        for (int i = 0; i < b->n; i += SV_GROUP)
            if (j < group_limit(b, i))
                b->k->gemm_panel(b->score + (size_t)i * b->stride + (size_t)j, b->stride, b->panel,
                                 SV_PANEL_ROWS, b->query + (size_t)i * b->dim, b->dim,
                                 group_size(b, i), dim, 0);
    }
}

/* Probabilities of the block's queries, in b->score; 0 between a query's limit and its
 * group's. */
static void probabilities(const block *b)
{
    if (is_few(b))
        score_few(b);
    else
        score_many(b);
    for (int i = 0; i < b->n; i++) {
        float *row = b->score + (size_t)i * b->stride;
        int limit = limit_of(b->a, query_of(b, i));
        if (is_few(b))
            b->k->scale_f32(row, b->a->scale, limit);
        b->k->softmax(row, limit);
        memset(row + limit, 0, (size_t)(b->n_keys - limit) * sizeof *row);
    }
}

static void values_few(const block *b, float *out, size_t stride)
{
    const sv_kv_rows *value = &b->a->v;
    int dim = b->a->head_dim;
    out += place_of(b, 0, stride);
    for (int i = 0; i < b->n; i++)
        memset(out + (size_t)i * stride, 0, (size_t)dim * sizeof *out);
    for (int j = 0; j < b->n_keys; j++)
        for (int i = 0; i < b->n; i++) {
            float p = b->score[(size_t)i * b->stride + (size_t)j], *y = out + (size_t)i * stride;
            if (value->f16)
                b->k->axpy_f16(y, p, halves_at(b, value, j), dim);
            else
                b->k->axpy_f32(y, p, floats_at(b, value, j), dim);
        }
}

static void values_many(const block *b, float *out, size_t stride)
{
    size_t dim = (size_t)b->a->head_dim;
    for (int j = 0; j < b->n_keys; j += BLOCK_KEYS) {
        int n = b->n_keys - j < BLOCK_KEYS ? b->n_keys - j : BLOCK_KEYS;
        expand(b, &b->a->v, j, n);
        for (int i = 0; i < b->n; i += SV_GROUP) {
            int seen = group_limit(b, i) - j < n ? group_limit(b, i) - j : n;
            for (size_t d = 0; seen > 0 && d < b->dim; d += SV_PANEL_ROWS)
                b->k->gemm_panel(b->out + (size_t)i * b->dim + d, b->dim, b->rows + d, b->dim,
                                 b->score + (size_t)i * b->stride + (size_t)j, b->stride,
                                 group_size(b, i), seen, j > 0);
        }
    }
    for (int i = 0; i < b->n; i++)
        memcpy(out + place_of(b, i, stride), b->out + (size_t)i * b->dim, dim * sizeof *out);
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
    int size = block_queries(a), heads = block_heads(a);
    block b = { .k = j->s->k, .a = a, .head = task / j->n_blocks * heads, .heads = heads,
                .first = task % j->n_blocks * size };
    b.n = (a->n_query - b.first < size ? a->n_query - b.first : size) * heads;
    b.n_keys = limit_of(a, query_of(&b, b.n - 1));
    b.stride = score_stride(a->n_rows);
    b.dim = whole_panels(a->head_dim);
    b.query = j->s->floats + (size_t)thread * j->s->per_thread;
    b.out = b.query + BLOCK_QUERIES * b.dim;
    b.rows = b.out + BLOCK_QUERIES * b.dim;
    b.panel = b.rows + BLOCK_KEYS * b.dim;
    b.score = b.panel + SV_PANEL_ROWS * b.dim;
    return b;
}

static void run_block(void *arg, int task, int thread)
{
    const job *j = arg;
    block b = block_of(j, task, thread);
    probabilities(&b);
    if (is_few(&b))
        values_few(&b, j->out, j->out_stride);
    else
        values_many(&b, j->out, j->out_stride);
}

static void copy_probabilities(void *arg, int task, int thread)
{
    const job *j = arg;
    block b = block_of(j, task, thread);
    size_t n_columns = (size_t)(b.a->n_rows - j->first_column);
    size_t n_seen = b.n_keys > j->first_column ? (size_t)(b.n_keys - j->first_column) : 0;
    probabilities(&b);
    for (int i = 0; i < b.n; i++) {
        size_t at = (size_t)head_of(&b, i) * (size_t)b.a->n_query + (size_t)query_of(&b, i);
        float *row = j->out + at * n_columns;
        memcpy(row, b.score + (size_t)i * b.stride + (size_t)j->first_column, n_seen * sizeof *row);
        memset(row + n_seen, 0, (n_columns - n_seen) * sizeof *row);
    }
}

static void run(const job *j, sv_task_fn fn)
{
    job whole = *j;
    int size = block_queries(j->a);
    whole.n_blocks = (j->a->n_query + size - 1) / size;
    double work = 2.0 * j->a->n_heads * j->a->n_query * j->a->n_rows * j->a->head_dim;
    int n_tasks = j->a->n_heads / block_heads(j->a) * whole.n_blocks;
    sv_parallel(sv_threads_for(j->s->n_threads, work), n_tasks, fn, &whole);
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
