/* SPDX-License-Identifier: MIT */
/* lib/prune/select.c: order, quotas, energy. */
#include "golden_units.h"

#include <math.h>

#include "base/rng.h"
#include "prune/parts.h"

static void test_goldens(void **state)
{
    (void)state;
    json_t *units = golden_json("topk.json");
    for (size_t u = 0; u < json_array_size(units); u++) {
        json_t *unit = json_array_get(units, u);
        int n = golden_count(unit, "values"), kept_so_far = 0;
        int32_t order[64], quota = (int32_t)json_integer_value(json_object_get(unit, "k"));
        uint8_t kept[64] = { 0 };
        float score[64];
        for (int i = 0; i < n; i++)
            score[i] = (float)golden_number(unit, "values", i);
        int k = quota;
        sv_order_by_score(order, score, n);
        sv_select(kept, order, n, NULL, &quota);
        for (int i = 0; i < n; i++)
            if (kept[i])
                CHECK(i == (int)golden_number(unit, "kept_ascending", kept_so_far++));
        CHECK(kept_so_far == k);
        for (int i = k; i < n; i++)
            CHECK(order[i] == (int)golden_number(unit, "dropped_by_falling_value", i - k));
    }
    json_decref(units);
}

/* Against a plain insertion sort, with many ties and some NaN. */
static void test_order_is_total(void **state)
{
    (void)state;
    sv_rng rng = { check_seed() };
    for (int n = 0; n < 120; n++) {
        float score[120];
        int32_t order[120], want[120];
        for (int i = 0; i < n; i++) {
            uint32_t v = sv_rng_below(&rng, 9);
            score[i] = v == 8 ? NAN : v == 7 ? INFINITY : (float)v;
        }
        for (int i = 0; i < n; i++) {
            int j = i;
            float s = isnan(score[i]) ? -1 : score[i];    /* all others are above */
            for (; j > 0 && s > (isnan(score[want[j - 1]]) ? -1 : score[want[j - 1]]); j--)
                want[j] = want[j - 1];
            want[j] = i;
        }
        sv_order_by_score(order, score, n);
        for (int i = 0; i < n; i++)
            CHECK(order[i] == want[i]);
    }
}

static void test_marked_rows_stay(void **state)
{
    (void)state;
    static const int32_t order[] = { 4, 3, 2, 1, 0 };
    uint8_t kept[5] = { 1, 0, 0, 0, 0 }, all[5] = { 1, 1, 1, 0, 0 };
    int32_t quota = 2;
    sv_select(kept, order, 5, NULL, &quota);              /* row 0 uses one of the two */
    CHECK(kept[0] && !kept[1] && !kept[2] && !kept[3] && kept[4]);
    quota = 2;
    sv_select(all, order, 5, NULL, &quota);               /* more marked than wanted */
    CHECK(all[0] && all[1] && all[2] && !all[3] && !all[4]);
}

static void test_quota_by_bucket(void **state)
{
    (void)state;
    static const int32_t order[] = { 0, 1, 2, 3, 4 }, bucket[] = { 0, 0, 0, 1, 1 };
    uint8_t kept[5] = { 0 };
    int32_t quota[] = { 1, 1 };
    sv_select(kept, order, 5, bucket, quota);
    CHECK(kept[0] && !kept[1] && !kept[2] && kept[3] && !kept[4]);
}

/* 10 over 3 : 3 : 1 is 4.29, 4.29, 1.43: the largest remainder gets the last one. */
static void test_share(void **state)
{
    (void)state;
    static const int32_t size[] = { 3, 3, 1 }, none[] = { 0, 0 };
    int32_t quota[3];
    sv_share(quota, 10, size, 3);
    CHECK(quota[0] == 4 && quota[1] == 4 && quota[2] == 2);
    sv_share(quota, 1, size, 2);                          /* equal remainders: the first */
    CHECK(quota[0] == 1 && quota[1] == 0);
    sv_share(quota, 5, none, 2);
    CHECK(quota[0] == 0 && quota[1] == 0);
}

static void test_energy(void **state)
{
    (void)state;
    static const float score[] = { .125f, .5f, .25f, .125f }, nothing[] = { 0, NAN, 0, -1 };
    static const int32_t order[] = { 1, 2, 0, 3 };
    CHECK(sv_energy_count(order, score, 4, .5) == 1);
    CHECK(sv_energy_count(order, score, 4, .75) == 2);
    CHECK(sv_energy_count(order, score, 4, .85) == 3);
    CHECK(sv_energy_count(order, score, 4, 1) == 4);
    CHECK(sv_energy_count(order, nothing, 4, .5) == 4);   /* nothing known: all stay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens), cmocka_unit_test(test_order_is_total),
        cmocka_unit_test(test_marked_rows_stay), cmocka_unit_test(test_quota_by_bucket),
        cmocka_unit_test(test_share), cmocka_unit_test(test_energy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
