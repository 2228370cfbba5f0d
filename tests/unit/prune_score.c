/* SPDX-License-Identifier: MIT */
/* lib/prune/score.c: attention of raters to visual rows. */
#include "golden_units.h"

#include <math.h>

#include "prune/parts.h"

/* Two heads, two raters (rows 3 and 4), five rows of which 1 and 2 are visual. */
static const float attention[] = {
    .1f, .2f, .3f, .4f, 0,    .1f, .1f, .1f, .1f, .6f,
    0,   .6f, .1f, .3f, 0,    .2f, .3f, .5f, 0,   0,
};
static const int32_t columns[] = { 1, 2 }, query[] = { 3, 4 };

static int near(double x, double y)
{
    return fabs(x - y) < 1e-6;                            /* a few roundings of numbers below 2 */
}

static void test_means_by_hand(void **state)
{
    (void)state;
    sv_attention at = { attention, 2, 2, 5, columns, 2, NULL };
    double mean[4];
    float score[2], sum[2];
    sv_mean_over_heads(mean, &at, NULL, 2);
    CHECK(near(mean[0], .4) && near(mean[1], .2) && near(mean[2], .2) && near(mean[3], .3));
    sv_mean_over_queries(score, mean, &at, query);
    CHECK(near(score[0], .3) && near(score[1], .25));
    sv_head_sums(sum, &at);
    CHECK(near(sum[0], .7) && near(sum[1], 1.5));
}

static void test_chosen_heads_and_factors(void **state)
{
    (void)state;
    static const double factor[] = { 1, 2, 3, 4 };
    static const int32_t second[] = { 1 };
    sv_attention at = { attention, 2, 2, 5, columns, 2, factor };
    double mean[4];
    float sum[2];
    sv_mean_over_heads(mean, &at, second, 1);
    CHECK(near(mean[0], .6) && near(mean[1], .2) && near(mean[2], .9) && near(mean[3], 2));
    sv_head_sums(sum, &at);
    CHECK(near(sum[0], .2 + .6 + .3 + .4) && near(sum[1], .6 + .2 + .9 + 2));
}

/* A rater between two pictures cannot see the second: it does not count for it. */
static void test_raters_between(void **state)
{
    (void)state;
    static const int32_t apart[] = { 0, 4 }, between[] = { 3, 5 };
    double mean[] = { .4, 0, .2, .3 };
    sv_attention at = { NULL, 0, 2, 0, apart, 2, NULL };
    float score[2];
    sv_mean_over_queries(score, mean, &at, between);
    CHECK(near(score[0], .3) && near(score[1], .3));
}

static void test_gravity_goldens(void **state)
{
    (void)state;
    json_t *units = golden_json("gravity.json");
    for (size_t u = 0; u < json_array_size(units); u++) {
        json_t *unit = json_array_get(units, u);
        int d = (int)json_integer_value(json_object_get(unit, "head_dim"));
        double w[701], base = json_number_value(json_object_get(unit, "theta"));
        sv_gravity(w, 701, d, base, 0);
        /* The goldens rotate by float32 angles: positions up to 650 carry errors of
         * 650 * 2^-24, in d terms of size 1 / sqrt(d). */
        double slack = 2 * 650 * 0x1p-24 * sqrt(d) + 1e-6;
        for (int q = 0; q < golden_count(unit, "query_pos"); q++)
            for (int k = 0; k < golden_count(unit, "key_pos"); k++) {
                json_t *row = json_array_get(json_object_get(unit, "weights"), (size_t)q);
                double want = json_number_value(json_array_get(row, (size_t)k));
                int apart = abs((int)golden_number(unit, "query_pos", q) -
                                (int)golden_number(unit, "key_pos", k));
                CHECK(fabs(w[apart] - want) < slack);
            }
    }
    json_decref(units);
}

/* First 0 or below at 1707 for base 1e4 and 128 wide heads, at 725 for 64. */
static void test_gravity_guard(void **state)
{
    (void)state;
    double w[1708];
    sv_gravity(w, 1708, 128, 1e4, 0);
    CHECK(near(w[0], sqrt(128)) && w[1706] > 0 && w[1707] <= 0);
    sv_gravity(w, 1708, 64, 1e4, 0);
    CHECK(w[724] > 0 && w[725] <= 0);
    sv_gravity(w, 1708, 64, 1e4, 1);
    for (int i = 0; i < 1708; i++)
        CHECK(w[i] >= 0.05 * 8);
    CHECK(near(w[725], 0.05 * 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means_by_hand), cmocka_unit_test(test_chosen_heads_and_factors),
        cmocka_unit_test(test_raters_between), cmocka_unit_test(test_gravity_goldens),
        cmocka_unit_test(test_gravity_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
