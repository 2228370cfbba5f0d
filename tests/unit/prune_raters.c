/* SPDX-License-Identifier: MIT */
/* lib/prune/raters.c: which text rows judge. */
#include "golden_units.h"

#include <math.h>

#include "prune/parts.h"

/* Text rows follow the visual ones in one matrix. */
static int rate(float *score, int32_t *raters, const float *rows, int width, int n_visual,
                int n_text)
{
    int32_t index[1024];
    double work[256];
    CHECK(n_visual + n_text <= 1024 && n_text <= 256);
    for (int i = 0; i < n_visual + n_text; i++)
        index[i] = i;
    sv_rater_input in = { rows, width, index, index + n_visual, n_visual, n_text };
    sv_rater_scores(score, &in, work, sv_kernels_get());
    return sv_raters_above_mean(raters, score, n_text);
}

/* V = {(1,0), (0,2)}, T = {(1,0), (0,1), (.5,.5)}: S = {1, 0, .5; 0, 2, 1}. With e = exp:
 * row 1 softmax {e1, e0, e.5} / 5.3670, row 2 {e0, e2, e1} / 11.1073. */
static void test_by_hand(void **state)
{
    (void)state;
    static const float rows[] = { 1, 0,  0, 2,   1, 0,  0, 1,  .5f, .5f };
    static const float want[] = { .298255f, .425782f, .275962f };
    float score[3];
    int32_t raters[3];
    CHECK(rate(score, raters, rows, 2, 2, 3) == 1 && raters[0] == 1);
    for (int i = 0; i < 3; i++)
        CHECK(fabsf(score[i] - want[i]) < 1e-6f);         /* the digits given */
}

static void test_goldens(void **state)
{
    (void)state;
    json_t *units = golden_json("raters.json");
    for (size_t u = 0; u < json_array_size(units); u++) {
        json_t *unit = json_array_get(units, u);
        golden_matrix v = golden_npy_of(unit, "visual"), t = golden_npy_of(unit, "text");
        CHECK(v.columns == t.columns);
        size_t nv = (size_t)v.rows * (size_t)v.columns, nt = (size_t)t.rows * (size_t)t.columns;
        float *rows = malloc((nv + nt) * sizeof *rows), score[256];
        int32_t raters[256];
        CHECK(rows != NULL);
        memcpy(rows, v.x, nv * sizeof *rows);
        memcpy(rows + nv, t.x, nt * sizeof *rows);
        int n = rate(score, raters, rows, v.columns, v.rows, t.rows);
        CHECK(n == golden_count(unit, "raters"));
        for (int i = 0; i < n; i++)
            CHECK(raters[i] == (int)golden_number(unit, "raters", i));
        /* float32 dot products of up to 128 terms: an exponent off by 128 eps times
         * their magnitude (below 40), so a relative error below 128 * 2^-24 * 40. */
        for (int i = 0; i < t.rows; i++)
            CHECK(fabs(score[i] / golden_number(unit, "mean_prob", i) - 1) < 3e-4);
        free(rows);
        free(v.x);
        free(t.x);
    }
    json_decref(units);
}

/* Equal scores are not above their mean, whatever rounding makes of 1 / n. */
static void test_equal_rows_have_no_rater(void **state)
{
    (void)state;
    float rows[200], score[100];
    int32_t raters[100];
    for (int i = 0; i < 200; i++)
        rows[i] = 0.3f;
    for (int n = 1; n < 100; n++)
        CHECK(rate(score, raters, rows, 2, 1, n) == 0);
}

static void test_nan_has_no_rater(void **state)
{
    (void)state;
    static const float rows[] = { 1, 0,  0, 2,   1, 0,  0, NAN,  .5f, .5f };
    float score[3];
    int32_t raters[3];
    CHECK(rate(score, raters, rows, 2, 2, 3) == 0);
}

/* Projector rows are large: exp must not see S itself. */
static void test_large_products(void **state)
{
    (void)state;
    static const float rows[] = { 1000, 0,   1, 0,  .9f, 0,  -1, 0 };
    float score[3];
    int32_t raters[3];
    CHECK(rate(score, raters, rows, 2, 1, 3) == 1 && raters[0] == 0);
    CHECK(fabsf(score[0] - 1) < 1e-6f && score[2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand), cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_equal_rows_have_no_rater), cmocka_unit_test(test_nan_has_no_rater),
        cmocka_unit_test(test_large_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
