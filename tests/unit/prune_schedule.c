/* SPDX-License-Identifier: MIT */
/* lib/prune/schedule.c and the schedules of the methods; macs.c. */
#include "check.h"

#include <math.h>

#include <sparsevlm/prune.h>

typedef struct plan { int n, layer[8], keep[8]; double average; } plan;

static plan plan_of(const svlm_prune_options *o, int n_layers, int n_visual)
{
    plan p;
    svlm_error err;
    if (svlm_prune_plan(o, n_layers, n_visual, p.layer, p.keep, 8, &p.n, &p.average, &err))
        fail_msg("%s", err.message);
    CHECK(p.n <= 8);
    return p;
}

static svlm_prune_options options(svlm_prune_method method, double retain)
{
    svlm_prune_options o;
    SVLM_INIT(&o);
    o.method = method;
    o.retain = retain;
    return o;
}

/* The published lists, and the true average of rows entering a layer: weights 3, 4, 9, 16
 * for 576 rows and what each stage leaves, merged rows included. */
static void test_published_lists(void **state)
{
    (void)state;
    static const struct { double retain, average; int v15[3]; double plus; int v20[3]; } row[] = {
        { 192, 206.5,  { 300, 200, 110 }, 206.75, { 300, 200, 118 } },
        { 128, 145.41, { 303, 110, 36 },  144.125, { 238, 108, 60 } },
        { 96,  114.09, { 238, 48, 26 },   113.94, { 246, 54, 28 } },
        { 64,  82.25,  { 66, 30, 17 },    81.81,  { 66, 34, 20 } },
    };
    for (size_t i = 0; i < 4; i++) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM, row[i].retain);
        plan p = plan_of(&o, 32, 576);
        CHECK(p.n == 3 && p.layer[0] == 2 && p.layer[1] == 6 && p.layer[2] == 15);
        for (int j = 0; j < 3; j++)
            CHECK(p.keep[j] == row[i].v15[j]);
        CHECK(fabs(p.average - row[i].average) < 0.01);
        o.method = SVLM_PRUNE_SPARSEVLM_PLUS;
        p = plan_of(&o, 32, 576);
        for (int j = 0; j < 3; j++)
            CHECK(p.keep[j] == row[i].v20[j]);
        CHECK(fabs(p.average - row[i].plus) < 0.01);
    }
    plan p = plan_of(NULL, 32, 576);                      /* the default is 192 */
    CHECK(p.keep[0] == 300 && p.keep[2] == 110);
}

/* Every other number, picture and depth meets the budget to a row, unless the layers that
 * must see everything use it up. */
static void test_budget_is_met(void **state)
{
    (void)state;
    static const svlm_prune_method methods[] = { SVLM_PRUNE_SPARSEVLM, SVLM_PRUNE_SPARSEVLM_PLUS,
        SVLM_PRUNE_PAPER, SVLM_PRUNE_FASTV, SVLM_PRUNE_PDROP, SVLM_PRUNE_RANDOM,
        SVLM_PRUNE_DIVPRUNE };
    static const int layers[] = { 24, 32, 40, 60 }, visual[] = { 256, 576, 577, 1152, 2880 };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (int l = 0; l < 4; l++)
            for (int v = 0; v < 5; v++)
                for (double retain = 130; retain < 570; retain += 37.5) {
                    svlm_prune_options o = options(methods[m], retain);
                    plan p = plan_of(&o, layers[l], visual[v]);
                    /* A row in the last stage weighs half the layers or less. */
                    CHECK(fabs(p.average - retain * visual[v] / 576) <= 1 + visual[v] / 576);
                    for (int i = 1; i < p.n; i++)
                        CHECK(p.layer[i] > p.layer[i - 1] && p.keep[i] <= p.keep[i - 1]);
                }
}

/* 8 layers: after 0, 1 and 3. Below 140 rows the full first layer, 72, leaves so little that
 * the average stays above the budget. Nothing is pruned after the last layer. */
static void test_shallow_models(void **state)
{
    (void)state;
    for (double retain = 30; retain < 576; retain += 10) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM, retain);
        plan p = plan_of(&o, 8, 576);
        CHECK(p.n == 3 && p.layer[0] == 0 && p.layer[1] == 1 && p.layer[2] == 3);
        CHECK(fabs(p.average - retain) < 1 || (retain < 140 && p.average < 72 + retain / 2));
    }
    for (int m = 0; m < SVLM_PRUNE_METHODS; m++)
        for (int n_layers = 1; n_layers < 16; n_layers++) {
            svlm_prune_options o = options((svlm_prune_method)m, 64);
            plan p = plan_of(&o, n_layers, 576);
            for (int i = 0; i < p.n; i++)
                CHECK(p.layer[i] <= n_layers - 2 && p.keep[i] >= 1 && p.keep[i] <= 576);
        }
}

static void test_more_than_exist(void **state)
{
    (void)state;
    for (int m = 0; m < SVLM_PRUNE_METHODS; m++) {
        if (m == SVLM_PRUNE_RANK || m == SVLM_PRUNE_ENERGY)
            continue;                                     /* have no budget */
        svlm_prune_options o = options((svlm_prune_method)m, 700);
        plan p = plan_of(&o, 32, 576);
        CHECK(p.average == 576);
        p = plan_of(&o, 32, 0);
        CHECK(p.n == 0 && p.average == 0);
        o.retain = 1e-9;                                  /* and next to nothing */
        p = plan_of(&o, 32, 576);
        CHECK(p.average >= 1 && p.average < 72);      /* three full layers and 12 rows */
    }
    static const int layers[] = { 2, 6 }, keep[] = { 600, 300 };
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM_PLUS, 0);
    o.n_layers_list = 2;
    o.layers = layers;
    o.keep = keep;
    CHECK(plan_of(&o, 32, 576).average == (7 * 576 + 25 * 300) / 32.0);
    o.compat = 1;                                         /* at least one goes */
    CHECK(plan_of(&o, 32, 576).average == (3 * 576 + 4 * 575 + 25 * 300) / 32.0);
}

/* Rank: 12 raters, 13.5 each; layers 2, 6, 15, 19. FastV: 2 layers of 576, 30 of k. */
static void test_other_methods(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_RANK, 0);
    plan p = plan_of(&o, 32, 576);
    CHECK(p.n == 4 && p.layer[3] == 19 && p.keep[0] == 162);
    o = options(SVLM_PRUNE_FASTV, 192);
    p = plan_of(&o, 32, 576);
    CHECK(p.n == 1 && p.layer[0] == 1 && p.keep[0] == 166);    /* (192 * 32 - 1152) / 30 */
    o = options(SVLM_PRUNE_PDROP, 270);                    /* as published: 8, 16, 24; halving */
    p = plan_of(&o, 32, 576);
    CHECK(p.n == 3 && p.layer[0] == 7 && p.layer[1] == 15 && p.layer[2] == 23);
    CHECK(p.keep[0] == 288 && p.keep[1] == 144 && p.keep[2] == 72);
    o = options(SVLM_PRUNE_ENERGY, 0);
    p = plan_of(&o, 32, 576);
    CHECK(p.keep[0] == 519);                               /* at most ceil(0.9 * 576) */
    o = options(SVLM_PRUNE_UNIFORM, 192);
    p = plan_of(&o, 32, 576);
    CHECK(p.n == 1 && p.layer[0] == -1 && p.keep[0] == 192 && p.average == 192);
}

static void refuse(const svlm_prune_options *o, const char *word)
{
    svlm_error err = { 0 };
    svlm_hook hook;
    CHECK(svlm_prune_plan(o, 32, 576, NULL, NULL, 0, NULL, NULL, &err) == SVLM_ERR_ARG);
    if (!strstr(err.message, word))
        fail_msg("'%s' does not name %s", err.message, word);
    /* A layer beyond the model is only known with the model. */
    if (strcmp(word, "layers 0 to 31"))
        CHECK(svlm_prune_hook(&hook, o, &err) == SVLM_ERR_ARG);
}

static void test_bad_options(void **state)
{
    (void)state;
    static const int rising[] = { 100, 200 }, layers[] = { 2, 6 }, falling[] = { 6, 2 },
                     beyond[] = { 2, 32 }, negative[] = { 5, -1 };
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM, 192), bad;
    o.n_layers_list = 2;
    o.layers = layers;
    o.keep = rising;
    refuse(&o, "keep 200");
    o.keep = negative;
    refuse(&o, "keep -1");
    o.keep = NULL;
    o.layers = falling;
    refuse(&o, "layer 2");
    o.layers = negative;
    refuse(&o, "layer -1");
    o.layers = beyond;
    refuse(&o, "layers 0 to 31");
    o.layers = NULL;
    refuse(&o, "none given");
    o.layers = layers;
    o.method = SVLM_PRUNE_RANDOM;
    refuse(&o, "random");
    o.n_layers_list = -1;
    refuse(&o, "-1");
    o.n_layers_list = 1000;
    refuse(&o, "1000");
    o = options((svlm_prune_method)99, 0);
    refuse(&o, "method 99");
    const double nothing[] = { NAN, -1, -INFINITY };
    for (int i = 0; i < 3; i++) {
        o = options(SVLM_PRUNE_SPARSEVLM, 0);
        bad = o, bad.retain = nothing[i], refuse(&bad, "retain");
        bad = o, bad.lambda = nothing[i], refuse(&bad, "lambda");
        bad = o, bad.energy = nothing[i], refuse(&bad, "energy");
        bad = o, bad.scale = nothing[i] - 1e9, refuse(&bad, "scale");
    }
    bad = o, bad.energy = 1.01, refuse(&bad, "energy");
    bad = o, bad.n_heads = -1, refuse(&bad, "n_heads");
    bad = o, bad.min_keep = 9, bad.max_keep = 3, refuse(&bad, "min_keep");
    bad = o, bad.positions = (svlm_positions)7, refuse(&bad, "positions");
    bad = o, bad.size = 3, refuse(&bad, "size");
    CHECK(svlm_prune_plan(NULL, 0, 576, NULL, NULL, 0, NULL, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_prune_hook(NULL, NULL, NULL) == SVLM_ERR_ARG);
}

static void test_names(void **state)
{
    (void)state;
    for (int m = 0; m < SVLM_PRUNE_METHODS; m++)
        CHECK(svlm_prune_method_by_name(svlm_prune_name((svlm_prune_method)m)) == m);
    CHECK(svlm_prune_method_by_name("sparsevlm+") == SVLM_PRUNE_SPARSEVLM_PLUS);
    CHECK(svlm_prune_method_by_name("") == -1 && svlm_prune_method_by_name(NULL) == -1);
    CHECK(!svlm_prune_name(SVLM_PRUNE_METHODS) && !svlm_prune_name((svlm_prune_method)-1));
}

/* LLaVA-1.5-7B with 118 text rows gives Table 1 of arXiv 2410.04417: 4.62, 2.14, 1.72 and
 * 1.30 T at 576, 192, 128, 64 rows, within 1 %. */
static void test_published_macs(void **state)
{
    (void)state;
    static const struct { double retain, t; int rows[3]; } row[] = {
        { 576, 4.62, { 576, 576, 576 } }, { 192, 2.14, { 309, 204, 113 } },
        { 128, 1.72, { 312, 117, 39 } },  { 64, 1.30, { 82, 32, 18 } },
    };
    for (size_t i = 0; i < 4; i++) {
        double macs = 0;
        for (int layer = 0; layer < 32; layer++) {
            int n = layer <= 2 ? 576 : row[i].rows[(layer > 6) + (layer > 15)];
            macs += svlm_layer_macs(n + 118, 4096, 11008, 1);
        }
        CHECK(fabs(macs / 1e12 - row[i].t) <= 0.01 * row[i].t + 0.005);  /* two decimals */
    }
    /* Grouped queries: 8 of 32 key and value heads make those two products a quarter. */
    CHECK(svlm_layer_macs(2, 3, 5, 1) == 4 * 2 * 9 + 2 * 4 * 3 + 3 * 2 * 3 * 5);
    CHECK(svlm_layer_macs(2, 3, 5, .25) == 2.5 * 2 * 9 + 2 * 4 * 3 + 3 * 2 * 3 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_lists), cmocka_unit_test(test_budget_is_met),
        cmocka_unit_test(test_shallow_models), cmocka_unit_test(test_more_than_exist),
        cmocka_unit_test(test_other_methods), cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_names), cmocka_unit_test(test_published_macs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
