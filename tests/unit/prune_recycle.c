/* SPDX-License-Identifier: MIT */
/* lib/prune/recycle.c: clusters around density peaks. */
#include "golden_units.h"

#include <math.h>

#include "prune/parts.h"

typedef struct clusters {
    float density[256], *merged;
    int32_t centre[64], assign[256];
} clusters;

static void cluster(clusters *c, const float *rows, int n, int width, int n_clusters)
{
    int32_t member[256];
    CHECK(n <= 256 && n_clusters <= 64);
    for (int i = 0; i < n; i++)
        member[i] = i;
    float *work = malloc(sv_cluster_work(n, width) * sizeof *work);
    c->merged = malloc((size_t)n_clusters * (size_t)width * sizeof *c->merged);
    CHECK(work && c->merged);
    sv_pool p = { rows, width, member, n, n_clusters, c->density, c->centre, c->assign, c->merged };
    sv_cluster(&p, work, sv_kernels_get());
    free(work);
}

/* How far float32 may be off in a density near exp(-x): distances of float32 rows carry
 * width roundings. 1e-5 is what the rows' noise may be without changing a decision. */
static const double slack = 1e-5;

static void test_goldens(void **state)
{
    (void)state;
    json_t *units = golden_json("cluster.json");
    for (size_t u = 0; u < json_array_size(units); u++) {
        json_t *unit = json_array_get(units, u);
        golden_matrix in = golden_npy_of(unit, "in"), out = golden_npy_of(unit, "out");
        int n_clusters = (int)json_integer_value(json_object_get(unit, "clusters"));
        clusters c;
        cluster(&c, in.x, in.rows, in.columns, n_clusters);
        for (int i = 0; i < n_clusters; i++)
            CHECK(c.centre[i] == (int)golden_number(unit, "centres", i));
        for (int i = 0; i < in.rows; i++) {
            CHECK(c.assign[i] == (int)golden_number(unit, "assign", i));
            CHECK(fabs(c.density[i] - golden_number(unit, "density", i)) < slack);
        }
        CHECK(out.rows == n_clusters && out.columns == in.columns);
        for (int i = 0; i < out.rows * out.columns; i++)
            CHECK(fabsf(c.merged[i] - out.x[i]) < 1e-5f * (1 + fabsf(out.x[i])));
        free(c.merged);
        free(in.x);
        free(out.x);
    }
    json_decref(units);
}

/* Two pairs of mutual nearest neighbours tie exactly; the earlier row of each leads, so
 * one pair never gives two centres. Worked out in docs/PRUNING.md. */
static void test_by_hand(void **state)
{
    (void)state;
    static const float rows[] = { 0, 0,  .2f, 0,  4, 0,  4, .4f,  0, .6f };
    static const float density[] = { .990050f, .990050f, .960789f, .960789f, .913931f };
    static const float merged[] = { .066667f, .2f, 4, .2f };
    static const int assign[] = { 0, 0, 1, 1, 0 };
    clusters c;
    cluster(&c, rows, 5, 2, 2);
    CHECK(c.centre[0] == 0 && c.centre[1] == 2);
    CHECK(c.density[0] == c.density[1] && c.density[2] == c.density[3]);
    for (int i = 0; i < 5; i++)
        CHECK(c.assign[i] == assign[i] && fabsf(c.density[i] - density[i]) < 1e-6f);
    for (int i = 0; i < 4; i++)
        CHECK(fabsf(c.merged[i] - merged[i]) < 3e-6f);    /* the published + 1e-6 */
    free(c.merged);
}

static void test_sizes(void **state)
{
    (void)state;
    CHECK(sv_pool_size(1) == 1 && sv_pool_size(10) == 4 && sv_pool_size(276) == 83);
    CHECK(sv_cluster_count(1) == 1 && sv_cluster_count(10) == 2 && sv_cluster_count(83) == 9);
    CHECK(sv_pool_size(510) == 154 && sv_cluster_count(154) == 16);
}

/* Rows that are equal, or not numbers, still give every cluster a centre of its own. */
static void test_degenerate(void **state)
{
    (void)state;
    float rows[40] = { 0 };
    for (int bad = 0; bad < 2; bad++) {
        clusters c;
        rows[7] = bad ? NAN : 0;
        cluster(&c, rows, 20, 2, 3);
        int used[20] = { 0 };
        for (int i = 0; i < 3; i++) {
            CHECK(c.centre[i] >= 0 && c.centre[i] < 20 && !used[c.centre[i]]++);
            CHECK(c.assign[c.centre[i]] == i);
        }
        for (int i = 0; i < 20; i++)
            CHECK(c.assign[i] >= 0 && c.assign[i] < 3);
        free(c.merged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
