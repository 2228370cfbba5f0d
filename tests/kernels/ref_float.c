/* SPDX-License-Identifier: MIT */
/* ref/float.c and ref/gemm_f32.c: values worked out by hand beside the formula. */
#include "check.h"

#include <math.h>

#include "simd/kernels.h"

static const sv_kernels *k;

/* A few roundings of a value of this size. */
static void check_near(float got, double want)
{
    if (!(fabs(got - want) <= 4 * 0x1p-24 * fabs(want)))
        fail_msg("%.9g instead of %.9g", (double)got, want);
}

static void test_vectors(void **state)
{
    (void)state;
    const float x[] = { 1, 2, 3 };
    const uint16_t h[] = { 0x3c00, 0x4000, 0x4200 };           /* 1, 2, 3 */
    float y[] = { 4, -5, 6, 99 };
    CHECK(k->dot_f32(x, y, 3) == 12 && k->dot_f16(h, y, 3) == 12);
    CHECK(k->dot_f32(x, y, 0) == 0);
    k->axpy_f32(y, 0.5f, x, 3);
    CHECK(y[0] == 4.5f && y[1] == -4 && y[2] == 7.5f);
    k->axpy_f16(y, -0.5f, h, 3);
    CHECK(y[0] == 4 && y[1] == -5 && y[2] == 6);
    k->add_f32(y, x, 3);
    CHECK(y[0] == 5 && y[1] == -3 && y[2] == 9);
    k->scale_f32(y, 2, 3);
    CHECK(y[0] == 10 && y[1] == -6 && y[2] == 18 && y[3] == 99);
    /* Summed in float this would be 0. */
    const float big[] = { 1e8f, 1, -1e8f }, ones[] = { 1, 1, 1 };
    CHECK(k->dot_f32(big, ones, 3) == 1);
}

static void test_norms(void **state)
{
    (void)state;
    const float x[] = { 3, 4 }, w[] = { 1, 2 }, b[] = { 10, 20 };
    float y[2];
    k->rms_norm(y, x, w, 2, 0);                 /* mean square 12.5 */
    check_near(y[0], 3 / sqrt(12.5));
    check_near(y[1], 8 / sqrt(12.5));
    k->rms_norm(y, x, w, 2, 3.5f);
    CHECK(y[0] == 0.75f && y[1] == 2);
    k->layer_norm(y, x, w, b, 2, 0);            /* mean 3.5, deviation 0.5 */
    CHECK(y[0] == 9 && y[1] == 22);
    k->layer_norm(y, x, w, b, 2, 0.75f);        /* variance 0.25 + 0.75 */
    CHECK(y[0] == 9.5f && y[1] == 21);
}

static void test_softmax(void **state)
{
    (void)state;
    float x[] = { logf(1), logf(2), logf(5), 7 };
    k->softmax(x, 3);
    check_near(x[0], 0.125);
    check_near(x[1], 0.25);
    check_near(x[2], 0.625);
    CHECK(x[3] == 7);
    float far[] = { 3e38f, -3e38f, -INFINITY };
    k->softmax(far, 3);
    CHECK(far[0] == 1 && far[1] == 0 && far[2] == 0);
    float none[] = { -INFINITY, -INFINITY };
    k->softmax(none, 2);
    CHECK(none[0] == 0 && none[1] == 0);
    k->softmax(none, 0);
    float lost[] = { NAN, NAN, -INFINITY };
    k->softmax(lost, 3);
    CHECK(isnan(lost[0]) && isnan(lost[1]) && lost[2] == 0);
}

static void test_activations(void **state)
{
    (void)state;
    const float x[] = { -2, 0, 1, -200, 200 }, up[] = { 3, 3, 3, 3, 3 };
    float y[5];
    k->silu_mul(y, x, up, 5);
    check_near(y[0], -6 / (1 + exp(2)));
    CHECK(y[1] == 0 && y[3] == 0 && y[4] == 600);
    check_near(y[2], 3 / (1 + exp(-1)));
    memcpy(y, x, sizeof y);
    k->gelu(y, 5);                              /* x times the normal distribution at x */
    /* 1 + erf(-sqrt 2) is 0.0455: a rounding of erf weighs twenty times as much. */
    CHECK(fabs(y[0] - -2 * 0.022750131948179212) <= 4 * 0x1p-24);
    check_near(y[2], 0.8413447460685429);
    CHECK(y[1] == 0 && y[3] == 0 && y[4] == 200);
    memcpy(y, x, sizeof y);
    k->gelu_quick(y, 5);
    check_near(y[0], -2 / (1 + exp(1.702 * 2)));
    check_near(y[2], 1 / (1 + exp(-1.702)));
    CHECK(y[1] == 0 && y[3] == 0 && y[4] == 200);
}

static void test_rope(void **state)
{
    (void)state;
    float x[] = { 1, 2, 3, 4, 5 };
    const float cos[] = { 0, 0.6f }, sin[] = { 1, 0.8f };
    k->rope(x, cos, sin, 2);                    /* a quarter turn; then 3, 4 by 0.6 + 0.8i */
    CHECK(x[0] == -2 && x[1] == 1 && x[4] == 5);
    check_near(x[2], 3 * 0.6 - 4 * 0.8);
    check_near(x[3], 3 * 0.8 + 4 * 0.6);
}

static void test_gemm(void **state)
{
    (void)state;
    /* Rows of two in a stride of three; the third column must not be read. */
    const float a[] = { 1, 2, NAN, 3, 4, NAN }, b[] = { 5, 6, NAN, 7, 8, NAN, 1, 0, NAN };
    float c[] = { 1, 1, 1, 9, 1, 1, 1, 9 };
    k->gemm_f32(c, 4, a, 3, b, 3, 2, 3, 2, 0);
    const float want[] = { 17, 23, 1, 9, 39, 53, 3, 9 }, sum[] = { 34, 46, 2, 9, 78, 106, 6, 9 };
    assert_memory_equal(c, want, sizeof c);
    k->gemm_f32(c, 4, a, 3, b, 3, 2, 3, 2, 1);
    assert_memory_equal(c, sum, sizeof c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_norms),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_activations),
        cmocka_unit_test(test_rope),    cmocka_unit_test(test_gemm),
    };
    k = sv_kernels_for("c");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
