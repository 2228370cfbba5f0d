/* SPDX-License-Identifier: MIT */
/* lib/tensor/ops and rope: the right kernel on the right rows, whatever the threads. */
#include "check.h"

#include <math.h>

#include "tensor/ops.h"
#include "tensor/rope.h"

enum { ROWS = 37, N = 5 };        /* more than two tasks, the last one short */

static float x[ROWS * N], up[ROWS * N], got[ROWS * N + 1];
static const float w[N] = { 1, 2, 3, 4, 5 }, b[N] = { -1, 0, 1, 2, 3 };

static void reset(void)
{
    for (int i = 0; i < ROWS * N; i++) {
        x[i] = (float)(i % 13) - 6;
        up[i] = (float)(i % 7) - 2;
    }
    memcpy(got, x, sizeof x);
    got[ROWS * N] = 77;
}

static void check(const float *want)
{
    assert_memory_equal(got, want, sizeof x);
    CHECK(got[ROWS * N] == 77);
    reset();
}

static void test_rows(void **state)
{
    (void)state;
    const sv_kernels *k = sv_kernels_for("c");
    for (int threads = 1; threads <= 3; threads++) {
        const sv_mm mm = { .k = k, .n_threads = threads };
        float want[8][ROWS * N];
        reset();
        for (int i = 0; i < 8; i++)
            memcpy(want[i], x, sizeof x);
        for (int r = 0; r < ROWS; r++) {
            k->rms_norm(want[0] + r * N, x + r * N, w, N, 0.1f);
            k->layer_norm(want[1] + r * N, x + r * N, w, b, N, 0.1f);
        }
        k->add_f32(want[2], up, ROWS * N);
        k->silu_mul(want[3], x, up, ROWS * N);
        k->gelu(want[4], ROWS * N);
        k->gelu_quick(want[5], ROWS * N);
        sv_rms_norm(&mm, got, x, w, ROWS, N, 0.1f);
        check(want[0]);
        sv_layer_norm(&mm, got, x, w, b, ROWS, N, 0.1f);
        check(want[1]);
        sv_add(&mm, got, up, ROWS, N);
        check(want[2]);
        sv_silu_mul(&mm, got, got, up, ROWS, N);
        check(want[3]);
        sv_gelu(&mm, got, ROWS, N);
        check(want[4]);
        sv_gelu_quick(&mm, got, ROWS, N);
        check(want[5]);
        sv_silu(&mm, got, ROWS, N);
        for (int i = 0; i < ROWS * N; i++)
            CHECK(fabsf(got[i] - x[i] / (1 + expf(-x[i]))) <= 0x1p-22f * fabsf(x[i]));
    }
}

static void test_all_finite(void **state)
{
    (void)state;
    float v[] = { 1, -3e38f, 0 };
    CHECK(sv_all_finite(v, 3) && sv_all_finite(v, 0));
    v[2] = NAN;
    CHECK(!sv_all_finite(v, 3) && sv_all_finite(v, 2));
    v[2] = -INFINITY;
    CHECK(!sv_all_finite(v, 3));
}

static void test_rope_angles(void **state)
{
    (void)state;
    static const float divisor[] = { 1, 2 };
    static const int32_t position[] = { 0, 3, 1000 };
    float f[2], c[6], s[6];
    sv_rope_frequencies(f, 4, 10000, NULL);     /* 10000^0, 10000^(-1/2) */
    CHECK(f[0] == 1 && f[1] == 0.01f);
    sv_rope_frequencies(f, 4, 10000, divisor);
    CHECK(f[0] == 1 && f[1] == 0.005f);
    sv_rope_table(c, s, f, 2, 1, position, 3);
    CHECK(c[0] == 1 && s[0] == 0 && c[1] == 1 && s[1] == 0);
    CHECK(c[2] == cosf(3) && s[2] == sinf(3) && s[3] == sinf(3 * 0.005f));
    CHECK(c[4] == cosf(1000) && c[5] == cosf(5));
    sv_rope_table(c, s, f, 2, 4, position, 3);  /* four times as far apart */
    CHECK(c[2] == cosf(0.75f) && c[4] == cosf(250));
}

/* Rows in a stride, each with its own angles; what lies between them stays. */
static void test_rope_rows(void **state)
{
    (void)state;
    enum { HEADS = 2, PAIRS = 2, STRIDE = 10 };
    const sv_mm mm = { .k = sv_kernels_for("c"), .n_threads = 2 };
    float rows[ROWS * STRIDE], want[ROWS * STRIDE], c[ROWS * PAIRS], s[ROWS * PAIRS], f[PAIRS];
    int32_t position[ROWS];
    for (int i = 0; i < ROWS; i++)
        position[i] = 5 * i;
    for (int i = 0; i < ROWS * STRIDE; i++)
        want[i] = rows[i] = (float)(i % 11);
    sv_rope_frequencies(f, 2 * PAIRS, 100, NULL);
    sv_rope_table(c, s, f, PAIRS, 1, position, ROWS);
    for (int r = 0; r < ROWS; r++)
        for (int h = 0; h < HEADS; h++)
            mm.k->rope(want + r * STRIDE + h * 2 * PAIRS, c + r * PAIRS, s + r * PAIRS, PAIRS);
    sv_rope_rows(&mm, rows, STRIDE, ROWS, HEADS, c, s, PAIRS);
    assert_memory_equal(rows, want, sizeof rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_all_finite),
        cmocka_unit_test(test_rope_angles), cmocka_unit_test(test_rope_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
