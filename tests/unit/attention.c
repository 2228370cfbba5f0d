/* SPDX-License-Identifier: MIT */
/* lib/tensor/attention against the formula in double: grouped queries, limits, halves,
 * any layout of the cache, any number of threads to the last bit. */
#include "check.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/attention.h"

typedef struct shape {
    int n_query, n_rows, n_heads, n_kv_heads, head_dim;
    int f16, by_head, causal;     /* layout of the cache: rows of a head together */
} shape;

typedef struct data {
    sv_attention a;
    float *q, *k, *v;             /* keys and values as they are in the cache, widened */
    void *k16, *v16;
    int32_t *limit;
} data;

static float *random_floats(size_t n, sv_rng *r)
{
    float *x = sv_malloc(SV_MEM_TEMP, n, sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)sv_rng_normal(r);
    return x;
}

static void *to_halves(float *x, size_t n)
{
    uint16_t *h = sv_malloc(SV_MEM_TEMP, n, sizeof *h);
    CHECK(h);
    sv_kernels_for("c")->f32_to_f16(h, x, n);
    sv_kernels_for("c")->f16_to_f32(x, h, n);
    return h;
}

static void make(data *d, const shape *s, sv_rng *r)
{
    size_t width = (size_t)s->n_heads * s->head_dim, kv = (size_t)s->n_kv_heads * s->head_dim;
    size_t n_kv = kv * (size_t)s->n_rows;
    memset(d, 0, sizeof *d);
    d->q = random_floats(width * (size_t)s->n_query, r);
    d->k = random_floats(n_kv, r);
    d->v = random_floats(n_kv, r);
    sv_kv_rows rows = { .row_stride = s->by_head ? (size_t)s->head_dim : kv,
                        .head_stride = (size_t)s->head_dim * (s->by_head ? (size_t)s->n_rows : 1),
                        .f16 = s->f16 };
    d->a = (sv_attention){ .q = d->q, .q_stride = width, .n_query = s->n_query, .k = rows,
                           .v = rows, .n_rows = s->n_rows, .n_heads = s->n_heads,
                           .n_kv_heads = s->n_kv_heads, .head_dim = s->head_dim,
                           .scale = 1 / sqrtf((float)s->head_dim) };
    if (s->f16) {
        d->k16 = to_halves(d->k, n_kv);
        d->v16 = to_halves(d->v, n_kv);
    }
    d->a.k.data = s->f16 ? d->k16 : d->k;
    d->a.v.data = s->f16 ? d->v16 : d->v;
    if (s->causal) {                            /* some rows are left out */
        d->limit = sv_malloc(SV_MEM_TEMP, (size_t)s->n_query, sizeof *d->limit);
        int last = s->n_query > 1 ? s->n_query - 1 : 1;
        for (int i = 0; i < s->n_query; i++)
            d->limit[i] = 1 + (int)((int64_t)i * (s->n_rows - 1) / last);
        d->a.limit = d->limit;
    }
}

static void release(data *d)
{
    sv_free(d->q);
    sv_free(d->k);
    sv_free(d->v);
    sv_free(d->k16);
    sv_free(d->v16);
    sv_free(d->limit);
}

/* Probabilities of one query and head by the formula; returns how many keys it sees. */
static int formula(double *p, const data *d, int head, int i)
{
    const sv_attention *a = &d->a;
    int n = a->limit ? a->limit[i] : a->n_rows, kv_head = head * a->n_kv_heads / a->n_heads;
    const float *q = d->q + (size_t)i * a->q_stride + (size_t)(head * a->head_dim);
    double max = -INFINITY, sum = 0;
    for (int j = 0; j < n; j++) {
        const float *k = d->k + (size_t)j * a->k.row_stride + (size_t)kv_head * a->k.head_stride;
        p[j] = 0;
        for (int l = 0; l < a->head_dim; l++)
            p[j] += (double)q[l] * k[l];
        p[j] *= a->scale;
        max = p[j] > max ? p[j] : max;
    }
    for (int j = 0; j < n; j++)
        sum += p[j] = exp(p[j] - max);
    for (int j = 0; j < n; j++)
        p[j] /= sum;
    return n;
}

/* A score is a sum of head_dim products of two numbers of size 1, so far below 8 after
 * scaling with errors below head_dim roundings of 8; exp turns them into relative
 * errors. Weighted sums of values below 6 add n_rows roundings at most. */
static double bound(const shape *s)
{
    return (8.0 * s->head_dim + 6.0 * s->n_rows) * 0x1p-24;
}

static void check_against_formula(const data *d, const shape *s, const float *out, const float *p,
                                  int first)
{
    double *want = sv_malloc(SV_MEM_TEMP, (size_t)s->n_rows, sizeof *want);
    size_t columns = (size_t)(s->n_rows - first);
    for (int h = 0; h < s->n_heads; h++)
        for (int i = 0; i < s->n_query; i++) {
            int n = formula(want, d, h, i), kv = h * s->n_kv_heads / s->n_heads;
            const float *row = p + ((size_t)h * s->n_query + (size_t)i) * columns;
            for (int j = n; j < s->n_rows; j++)
                want[j] = 0;
            for (int j = first; j < s->n_rows; j++)
                CHECK(fabs(row[j - first] - want[j]) <= bound(s) * want[j]);
            for (int l = 0; l < s->head_dim; l++) {
                double sum = 0;
                for (int j = 0; j < n; j++)
                    sum += want[j] * d->v[(size_t)j * d->a.v.row_stride +
                                          (size_t)kv * d->a.v.head_stride + (size_t)l];
                CHECK(fabs(out[(size_t)i * d->a.q_stride + (size_t)(h * s->head_dim + l)] - sum) <=
                      bound(s) * 6);
            }
        }
    sv_free(want);
}

static void run(const sv_kernels *k, int n_threads, const data *d, const shape *s, float *out,
                float *p, int first)
{
    sv_attention_scratch scratch;
    sv_arena a = { 0 };
    sv_attention_layout(&scratch, &a, k, n_threads, s->head_dim, s->n_rows);
    size_t size = a.used;
    void *block = sv_malloc(SV_MEM_TEMP, size, 1);
    CHECK(block);
    a = (sv_arena){ .base = block, .size = size };
    sv_attention_layout(&scratch, &a, k, n_threads, s->head_dim, s->n_rows);
    sv_attention_run(&scratch, out, d->a.q_stride, &d->a);
    sv_attention_probabilities(&scratch, p, first, &d->a);
    sv_free(block);
}

static void check_shape(const sv_kernels *k, shape s, sv_rng *r)
{
    data d;
    make(&d, &s, r);
    int first = s.n_rows / 3;
    size_t n_out = (size_t)s.n_query * s.n_heads * s.head_dim;
    size_t n_p = (size_t)s.n_heads * s.n_query * (size_t)(s.n_rows - first);
    float *out[3], *p[3];
    for (int t = 0; t < 3; t++) {
        out[t] = random_floats(n_out, r);
        p[t] = random_floats(n_p, r);
        run(k, t + 1, &d, &s, out[t], p[t], first);
        assert_memory_equal(out[0], out[t], n_out * sizeof(float));
        assert_memory_equal(p[0], p[t], n_p * sizeof(float));
    }
    check_against_formula(&d, &s, out[0], p[0], first);
    for (int t = 0; t < 3; t++) {
        sv_free(out[t]);
        sv_free(p[t]);
    }
    release(&d);
}

static void test_shapes(void **state)
{
    (void)state;
    static const shape shapes[] = {
        /* queries, keys, heads, kv heads, width; halves, by head, causal */
        { 1, 1, 1, 1, 8, 0, 0, 0 },     { 1, 300, 4, 2, 16, 1, 1, 0 },
        { 4, 257, 4, 1, 20, 1, 0, 1 },  { 5, 5, 2, 2, 64, 0, 0, 1 },
        { 65, 65, 3, 3, 16, 0, 0, 0 },  { 64, 600, 2, 1, 32, 1, 1, 1 },
        { 130, 130, 4, 2, 8, 1, 0, 1 }, { 20, 513, 2, 2, 128, 0, 1, 1 },
        { 1, 300, 16, 2, 64, 1, 0, 0 }, { 2, 77, 14, 2, 20, 0, 1, 1 },       /* heads together */
        { 3, 90, 18, 3, 16, 1, 1, 1 },  { 1, 40, 17, 1, 8, 0, 0, 0 },        /* too many */
    };
    sv_rng r = { check_seed() };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_shape(sv_kernels_get(), shapes[i], &r);
        check_shape(sv_kernels_for("c"), shapes[i], &r);
    }
}

/* So many keys that a block holds few queries. */
static void test_long_context(void **state)
{
    (void)state;
    sv_rng r = { check_seed() + 1 };
    check_shape(sv_kernels_get(), (shape){ 7, 40000, 1, 1, 8, 1, 0, 1 }, &r);
    check_shape(sv_kernels_get(), (shape){ 1, 40000, 8, 1, 8, 1, 0, 0 }, &r);
}

/* The result may replace the queries. */
static void test_in_place(void **state)
{
    (void)state;
    sv_rng r = { check_seed() + 2 };
    shape s = { 70, 90, 4, 4, 16, 0, 0, 1 };
    data d;
    make(&d, &s, &r);
    size_t n = (size_t)s.n_query * s.n_heads * s.head_dim;
    float *out = random_floats(n, &r), *p = random_floats((size_t)s.n_heads * 70 * 90, &r);
    run(sv_kernels_get(), 2, &d, &s, out, p, 0);
    run(sv_kernels_get(), 2, &d, &s, d.q, p, 0);
    assert_memory_equal(out, d.q, n * sizeof *out);
    sv_free(out);
    sv_free(p);
    release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_long_context),
        cmocka_unit_test(test_in_place),
    };
    print_message("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
