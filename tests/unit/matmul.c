/* SPDX-License-Identifier: MIT */
/* lib/tensor/matmul, precise path: every type against products in double, any number
 * of threads to the last bit. */
#include "check.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "bench/make_model.h"
#include "tensor/matmul.h"

enum { MAX_ROWS = 37 };

static const sv_type types[] = {
    SV_F32, SV_F16, SV_BF16, SV_Q4_0, SV_Q4_1, SV_Q5_0, SV_Q5_1, SV_Q8_0, SV_Q2_K, SV_Q3_K,
    SV_Q4_K, SV_Q5_K, SV_Q6_K, SV_IQ4_NL,
};

static sv_weight random_weight(sv_type type, int n_in, int n_out, uint64_t seed)
{
    sv_weight w = { .type = type, .n_in = n_in, .n_out = n_out,
                    .row_bytes = sv_type_bytes(type, (size_t)n_in) };
    uint8_t *data = sv_malloc(SV_MEM_TEMP, (size_t)n_out, w.row_bytes);
    CHECK(data);
    sv_random_values(data, type, (size_t)n_in * (size_t)n_out, 1.0f, seed);
    w.data = data;
    return w;
}

static float *random_floats(size_t n, sv_rng *r)
{
    float *x = sv_malloc(SV_MEM_TEMP, n, sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)sv_rng_normal(r);
    return x;
}

/* Runs f with scratch for it; returns the block, which is the caller's to free. */
static void *new_mm(sv_mm *mm, const sv_kernels *k, int n_threads, int max_in, int max_out)
{
    sv_arena a = { 0 };
    sv_mm_layout(mm, &a, k, n_threads, 1, MAX_ROWS, max_in, max_out);
    CHECK(!a.overflow);
    size_t size = a.used;
    void *block = sv_malloc(SV_MEM_TEMP, size, 1);
    CHECK(block);
    a = (sv_arena){ .base = block, .size = size };
    sv_mm_layout(mm, &a, k, n_threads, 1, MAX_ROWS, max_in, max_out);
    CHECK(!a.overflow && a.used == size);
    return block;
}

/* Every element is a sum of n_in rounded products in whatever order: its error is at most
 * n_in + 1 roundings of the sum of magnitudes (Higham, Accuracy and Stability, 3.1);
 * the bias is one more. Expanding the weights is exact up to two roundings each. */
static void check_product(const sv_kernels *k, const float *y, const float *x, int n,
                          const sv_weight *w, const float *bias)
{
    float *row = sv_malloc(SV_MEM_TEMP, (size_t)w->n_in, sizeof *row);
    for (int j = 0; j < w->n_out; j++) {
        sv_weight_row(k, row, w, j);
        for (int i = 0; i < n; i++) {
            double want = bias ? bias[j] : 0, size = fabs(want);
            for (int l = 0; l < w->n_in; l++) {
                double p = (double)row[l] * x[(size_t)i * w->n_in + l];
                want += p;
                size += fabs(p);
            }
            CHECK(fabs(y[(size_t)i * w->n_out + j] - want) <= (w->n_in + 4) * 0x1p-24 * size);
        }
    }
    sv_free(row);
}

static void check_shape(const sv_kernels *k, sv_type type, int n_in, int n_out, int n, sv_rng *r)
{
    sv_weight w = random_weight(type, n_in, n_out, sv_rng_next(r));
    sv_weight w2 = random_weight(SV_F16, n_in, 33, sv_rng_next(r));
    float *x = random_floats((size_t)n * n_in, r), *bias = random_floats((size_t)n_out, r);
    size_t n_y = (size_t)n * n_out, n_y2 = (size_t)n * 33;
    float *y[3], *y2[3];
    for (int t = 0; t < 3; t++) {
        sv_mm mm;
        void *block = new_mm(&mm, k, t + 1, n_in, n_out > 33 ? n_out : 33);
        y[t] = random_floats(n_y + 1, r);
        y2[t] = random_floats(n_y2, r);
        y[t][n_y] = 77;
        sv_product p[] = { { y[t], &w, bias }, { y2[t], &w2, NULL } };
        sv_matmul_many(&mm, p, 2, x, n);
        CHECK(y[t][n_y] == 77);
        sv_free(block);
    }
    check_product(k, y[0], x, n, &w, bias);
    check_product(k, y2[0], x, n, &w2, NULL);
    for (int t = 1; t < 3; t++) {
        assert_memory_equal(y[0], y[t], n_y * sizeof(float));
        assert_memory_equal(y2[0], y2[t], n_y2 * sizeof(float));
    }
    for (int t = 0; t < 3; t++) {
        sv_free(y[t]);
        sv_free(y2[t]);
    }
    sv_free(x);
    sv_free(bias);
    sv_free((void *)w.data);
    sv_free((void *)w2.data);
}

static void test_every_type(void **state)
{
    (void)state;
    sv_rng r = { check_seed() };
    static const int ns[] = { 1, 3, 6 };        /* rows as they lie; pieces of them; tiles */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++) {
            check_shape(sv_kernels_get(), types[i], 768, 70, ns[j], &r);
            check_shape(sv_kernels_get(), types[i], 2304, 3, ns[j], &r);
            check_shape(sv_kernels_for("c"), types[i], 256, 5, ns[j], &r);
        }
}

/* Around every tile's edge, and no rows at all. */
static void test_shapes(void **state)
{
    (void)state;
    static const int outs[] = { 1, 31, 32, 33, 64, 65, 1023, 1025 };
    static const int ns[] = { 0, 1, 4, 5, MAX_ROWS };
    sv_rng r = { check_seed() + 1 };
    for (size_t i = 0; i < sizeof outs / sizeof *outs; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            check_shape(sv_kernels_get(), SV_Q8_0, 32, outs[i], ns[j], &r);
    check_shape(sv_kernels_get(), SV_F16, 3, 7, 5, &r);          /* depths of any length */
    check_shape(sv_kernels_get(), SV_F16, 1027, 9, 5, &r);
    check_shape(sv_kernels_get(), SV_F32, 1027, 8200, 5, &r);
}

/* Floats and halves at addresses where they cannot be read as such. */
static void test_unaligned_weights(void **state)
{
    (void)state;
    sv_rng r = { check_seed() + 2 };
    float x[5 * 6], y[5 * 4], want[5 * 4];
    for (int i = 0; i < 5 * 6; i++)
        x[i] = (float)sv_rng_normal(&r);
    for (int type = SV_F32; type <= SV_F16; type++) {
        sv_weight w = random_weight((sv_type)type, 6, 4, sv_rng_next(&r)), odd = w;
        uint8_t *moved = sv_malloc(SV_MEM_TEMP, 1 + 4 * w.row_bytes, 1);
        memcpy(moved + 1, w.data, 4 * w.row_bytes);
        odd.data = moved + 1;
        sv_mm mm;
        void *block = new_mm(&mm, sv_kernels_get(), 2, 6, 4);
        for (int n = 1; n <= 5; n += 4) {
            sv_matmul(&mm, want, x, n, &w);
            sv_matmul(&mm, y, x, n, &odd);
            check_product(sv_kernels_get(), y, x, n, &w, NULL);
        }
        sv_free(block);
        sv_free(moved);
        sv_free((void *)w.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_unaligned_weights),
    };
    print_message("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
