/* SPDX-License-Identifier: MIT */
/* lib/prune/rank.c: singular values and how many count. */
#include "golden_units.h"

#include <math.h>

#include "base/rng.h"
#include "prune/parts.h"

static int rank_of(double *sigma, const float *x, int m, int n)
{
    size_t size = (size_t)m * (size_t)n;
    double *a = malloc(2 * size * sizeof *a);
    CHECK(a != NULL);
    for (size_t i = 0; i < size; i++)
        a[i] = x[i];
    sv_singular_values(sigma, a, m, n, a + size);
    free(a);
    return sv_numerical_rank(sigma, m, n);
}

static void test_goldens(void **state)
{
    (void)state;
    json_t *units = golden_json("rank.json");
    for (size_t u = 0; u < json_array_size(units); u++) {
        json_t *unit = json_array_get(units, u);
        golden_matrix m = golden_npy_of(unit, "file");
        double sigma[576];
        CHECK(rank_of(sigma, m.x, m.rows, m.columns) ==
              (int)json_integer_value(json_object_get(unit, "rank")));
        /* Six digits were written of each value, of which the largest is 1; below
         * 1e-7 they are what storing the matrix as floats left behind. */
        for (int i = 0; i < golden_count(unit, "singular_values"); i++)
            CHECK(fabs(sigma[i] - golden_number(unit, "singular_values", i)) < 1e-6);
        free(m.x);
    }
    json_decref(units);
}

/* A^T A of {3 0; 4 5} has trace 50 and determinant 225: values sqrt(45), sqrt(5). */
static void test_by_hand(void **state)
{
    (void)state;
    static const float square[] = { 3, 0, 4, 5 }, tall[] = { 3, 4, 0, 0, 0, 5 };
    double sigma[2];
    CHECK(rank_of(sigma, square, 2, 2) == 2);
    CHECK(fabs(sigma[0] - sqrt(45)) < 1e-12 && fabs(sigma[1] - sqrt(5)) < 1e-12);
    CHECK(rank_of(sigma, tall, 3, 2) == 2);               /* columns (3,0,0), (4,0,5) */
    CHECK(fabs(sigma[0] * sigma[1] - 15) < 1e-12);
    CHECK(fabs(sigma[0] * sigma[0] + sigma[1] * sigma[1] - 50) < 1e-12);
}

/* Singular values do not change when rows are mixed by a rotation. */
static void test_rotation_invariance(void **state)
{
    (void)state;
    enum { M = 9, N = 40 };
    sv_rng rng = { check_seed() };
    double a[M * N], b[M * N], work[M * N], before[M], after[M];
    for (int i = 0; i < M * N; i++)
        a[i] = b[i] = sv_rng_normal(&rng);
    for (int i = 0; i + 1 < M; i++)
        for (int c = 0; c < N; c++) {
            double x = b[i * N + c], y = b[(i + 1) * N + c];
            b[i * N + c] = .6 * x - .8 * y;
            b[(i + 1) * N + c] = .8 * x + .6 * y;
        }
    sv_singular_values(before, a, M, N, work);
    sv_singular_values(after, b, M, N, work);
    for (int i = 0; i < M; i++)
        CHECK(fabs(before[i] - after[i]) < 1e-12 * before[0]);
}

static void test_degenerate(void **state)
{
    (void)state;
    float zero[12] = { 0 }, bad[12] = { 1, 2, 3 }, equal[12];
    double sigma[4];
    CHECK(rank_of(sigma, zero, 3, 4) == 0 && sigma[0] == 0);
    bad[7] = NAN;
    CHECK(rank_of(sigma, bad, 3, 4) == 0);
    bad[7] = INFINITY;
    CHECK(rank_of(sigma, bad, 4, 3) == 0);
    for (int i = 0; i < 12; i++)
        equal[i] = 0.1f;
    CHECK(rank_of(sigma, equal, 3, 4) == 1);
    CHECK(rank_of(sigma, equal, 12, 1) == 1 && rank_of(sigma, equal, 1, 12) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_rotation_invariance), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
