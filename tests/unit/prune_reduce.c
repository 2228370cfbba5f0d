/* SPDX-License-Identifier: MIT */
/* Methods that work before layer 0: random, uniform, divprune, visionzip. */
#include "check.h"
#include "faults.h"

#include <math.h>

#include <sparsevlm/prune.h>

#include "base/rng.h"

enum { WIDTH = 2, MAX_ROWS = 600 };

typedef struct picture {
    int n;
    float rows[MAX_ROWS][WIDTH], attention[MAX_ROWS], keys[MAX_ROWS][WIDTH];
    svlm_cell cells[MAX_ROWS];
} picture;

/* A tile of w x h cells with a separator after each line if wanted. */
static void add_tile(picture *p, int tile, int w, int h, int separators)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w + separators; x++)
            p->cells[p->n++] = (svlm_cell){ .tile = (int16_t)tile, .y = (int16_t)y,
                                            .x = (int16_t)(x < w ? x : -1) };
}

static svlm_status reduce(const svlm_hook *hook, const picture *p, int image, svlm_reduction *r)
{
    svlm_reduce_view v = {
        .size = sizeof v, .image = image, .n_images = 2, .n_rows = p->n, .n_embd = WIDTH,
        .rows = &p->rows[0][0], .cells = p->cells, .class_attention = p->attention,
        .keys = &p->keys[0][0], .key_width = WIDTH,
    };
    SVLM_INIT(r);
    return hook->reduce(hook->user, &v, r);
}

static svlm_hook hook_of(svlm_prune_method method, double retain, int keep_separators)
{
    svlm_prune_options o;
    svlm_hook hook;
    SVLM_INIT(&o);
    o.method = method;
    o.retain = retain;
    o.keep_separators = keep_separators;
    o.seed = 7;
    CHECK(svlm_prune_hook(&hook, &o, NULL) == SVLM_OK && hook.reduce && !hook.first_layer_of);
    return hook;
}

static void expect(const svlm_reduction *r, const int32_t *keep, int n)
{
    CHECK(r->n_keep == n);
    for (int i = 0; i < n; i++)
        CHECK(r->keep[i] == keep[i]);
}

/* 4 of 4 x 4: the places under the middles of four quarters, (1,1) (3,1) (1,3) (3,3). */
static void test_uniform_by_hand(void **state)
{
    (void)state;
    static const int32_t want[] = { 5, 7, 13, 15 };
    picture p = { 0 };
    svlm_reduction r;
    svlm_hook hook = hook_of(SVLM_PRUNE_UNIFORM, 144, 0);
    add_tile(&p, 0, 4, 4, 0);
    CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK);
    expect(&r, want, 4);
    CHECK(r.n_merged == 0 && !r.renumber);
    hook.destroy(hook.user);
}

static void test_uniform_counts(void **state)
{
    (void)state;
    static picture p;
    svlm_reduction r;
    p.n = 0;
    add_tile(&p, 0, 12, 12, 0);
    add_tile(&p, 1, 23, 16, 1);
    for (int separators = 0; separators < 2; separators++)
        for (double retain = 30; retain < 570; retain += 7) {
            svlm_hook hook = hook_of(SVLM_PRUNE_UNIFORM, retain, separators);
            CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK);
            double want = fmin(retain * p.n / 576, 512 + 16 * separators);    /* 144 + 368 cells */
            int tile0 = 0, lines = 0;
            for (int i = 0; i < r.n_keep; i++) {
                tile0 += p.cells[r.keep[i]].tile == 0;
                lines += p.cells[r.keep[i]].x < 0;
            }
            CHECK(lines == 16 * separators);
            CHECK(fabs(r.n_keep - want) <= 0.5);
            CHECK(abs(tile0 - (r.n_keep - lines) * 144 / 512) <= 1);
            hook.destroy(hook.user);
        }
}

static void test_random_repeats(void **state)
{
    (void)state;
    static picture p;
    svlm_reduction r;
    int32_t first[2][192];
    p.n = 0;
    add_tile(&p, 0, 24, 24, 0);
    for (int run = 0; run < 2; run++) {
        svlm_hook hook = hook_of(SVLM_PRUNE_RANDOM, 192, 0);
        for (int image = 0; image < 2; image++) {
            CHECK(reduce(&hook, &p, image, &r) == SVLM_OK && r.n_keep == 192);
            if (run == 0)
                memcpy(first[image], r.keep, sizeof first[image]);
            expect(&r, first[image], 192);
        }
        hook.destroy(hook.user);
    }
    CHECK(memcmp(first[0], first[1], sizeof first[0]) != 0);
}

/* Five directions at 0, 10, 90, 100 and 200 degrees: 200 is farthest from its nearest (100
 * apart), then 10 (170 degrees away, 0 is 160), then 100 (90 from 10, 100 from 200), for 90
 * is 80 from 10. */
static void test_divprune_by_hand(void **state)
{
    (void)state;
    static const int32_t want[][3] = { { 4 }, { 1, 4 }, { 1, 3, 4 } };
    static const double degree[] = { 0, 10, 90, 100, 200 };
    picture p = { 0 };
    svlm_reduction r;
    add_tile(&p, 0, 5, 1, 0);
    for (int i = 0; i < 5; i++) {
        p.rows[i][0] = (float)((i + 1) * cos(degree[i] * 3.14159265358979 / 180));
        p.rows[i][1] = (float)((i + 1) * sin(degree[i] * 3.14159265358979 / 180));
    }
    for (int k = 1; k <= 3; k++) {
        svlm_hook hook = hook_of(SVLM_PRUNE_DIVPRUNE, k * 576 / 5.0, 0);
        CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK && r.renumber);
        expect(&r, want[k - 1], k);
        hook.destroy(hook.user);
    }
}

/* 6 of 12 rows: 5 by class attention, 1 merged of the other seven: their mean. */
static void test_visionzip_by_hand(void **state)
{
    (void)state;
    static const int32_t want[] = { 1, 3, 5, 7, 9 };
    picture p = { 0 };
    svlm_reduction r;
    svlm_hook hook = hook_of(SVLM_PRUNE_VISIONZIP, 288, 0);
    CHECK(hook.needs_class_attention);
    add_tile(&p, 0, 12, 1, 0);
    for (int i = 0; i < 12; i++) {
        p.attention[i] = i % 2 && i < 10 ? 1 : 0.1f * (float)i / 12;
        p.rows[i][0] = (float)i;
        p.keys[i][i % 2] = 1;
    }
    CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK);
    expect(&r, want, 5);
    CHECK(r.n_merged == 1 && r.renumber);
    CHECK(fabsf(r.merged[0] - (0 + 2 + 4 + 6 + 8 + 10 + 11) / 7.0f) < 1e-5f);
    hook.destroy(hook.user);
}

/* Two anchors with unlike keys, rows 0 and 4 of 8 others: each row joins its like. */
static void test_visionzip_joins_by_key(void **state)
{
    (void)state;
    picture p = { 0 };
    svlm_reduction r;
    svlm_hook hook = hook_of(SVLM_PRUNE_VISIONZIP, 576 * 13 / 19.0, 0);
    add_tile(&p, 0, 19, 1, 0);
    for (int i = 0; i < 19; i++) {                        /* 11 dominant, 8 others, 2 anchors */
        p.attention[i] = i < 11 ? 1 : 0;
        p.rows[i][0] = (float)(i - 11);
        p.keys[i][(i - 11) / 4 == 1 ? 1 : 0] = 2;
    }
    p.keys[17][0] = 0;
    p.keys[17][1] = 3;                                    /* row 6 of the others joins anchor 4 */
    for (int i = 16; i < 19; i++)
        if (i != 17) {
            p.keys[i][0] = 1;
            p.keys[i][1] = 0;
        }
    p.keys[15][0] = 0;
    p.keys[15][1] = 1;
    CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK && r.n_keep == 11 && r.n_merged == 2);
    CHECK(fabsf(r.merged[0] - (0 + 1 + 2 + 3 + 5 + 7) / 6.0f) < 1e-5f);
    CHECK(fabsf(r.merged[2] - (4 + 6) / 2.0f) < 1e-5f);
    svlm_prune_report report;
    SVLM_INIT(&report);
    CHECK(svlm_prune_get_report(&hook, &report) == SVLM_OK && report.n_stages == 1);
    CHECK(report.stages[0].layer == -1 && report.stages[0].n_recycled == 8);
    CHECK(report.stages[0].centre[1] == 4 && report.stages[0].assign[6] == 1);
    hook.destroy(hook.user);
}

static void test_visionzip_needs_attention(void **state)
{
    (void)state;
    picture p = { .n = 0 };
    svlm_hook hook = hook_of(SVLM_PRUNE_VISIONZIP, 288, 0);
    add_tile(&p, 0, 12, 1, 0);
    svlm_reduction r;
    svlm_reduce_view v = { .size = sizeof v, .n_images = 1, .n_rows = 12, .n_embd = WIDTH,
                           .rows = &p.rows[0][0], .cells = p.cells };
    SVLM_INIT(&r);
    CHECK(hook.reduce(hook.user, &v, &r) == SVLM_ERR_ARG);
    hook.destroy(hook.user);
}

static const svlm_prune_method before[] = { SVLM_PRUNE_RANDOM, SVLM_PRUNE_UNIFORM,
                                            SVLM_PRUNE_DIVPRUNE, SVLM_PRUNE_VISIONZIP };

/* Rows that are all alike, or not numbers, are as good as any. */
static void test_degenerate_rows(void **state)
{
    (void)state;
    static picture p;
    svlm_reduction r;
    p.n = 0;
    add_tile(&p, 0, 24, 24, 0);
    for (int m = 0; m < 4; m++)
        for (int bad = 0; bad < 2; bad++) {
            for (int i = 0; i < p.n; i++)
                p.rows[i][0] = p.keys[i][0] = p.attention[i] = bad ? NAN : 0;
            svlm_hook hook = hook_of(before[m], 64, 0);
            CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK && r.n_keep + r.n_merged == 64);
            hook.destroy(hook.user);
        }
}

static void test_allocation_failures(void **state)
{
    (void)state;
    static picture p;
    svlm_reduction r;
    size_t alive = sv_alloc_alive();
    p.n = 0;
    add_tile(&p, 0, 20, 20, 1);
    for (int m = 0; m < 4; m++) {
        svlm_hook hook = hook_of(before[m], 192, 1);
        svlm_status st = SVLM_ERR_NOMEM;
        for (int n = 0; st; n++) {
            CHECK(n < 20);
            fault_from(n);
            st = reduce(&hook, &p, 0, &r);
            fault_end();
            CHECK(st == SVLM_OK || st == SVLM_ERR_NOMEM);
        }
        size_t count = sv_alloc_count();
        CHECK(reduce(&hook, &p, 0, &r) == SVLM_OK && sv_alloc_count() == count);
        hook.destroy(hook.user);
    }
    CHECK(sv_alloc_alive() == alive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform_by_hand), cmocka_unit_test(test_uniform_counts),
        cmocka_unit_test(test_random_repeats), cmocka_unit_test(test_divprune_by_hand),
        cmocka_unit_test(test_visionzip_by_hand), cmocka_unit_test(test_visionzip_joins_by_key),
        cmocka_unit_test(test_visionzip_needs_attention), cmocka_unit_test(test_degenerate_rows),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
