/* SPDX-License-Identifier: MIT */
/* lib/prune/prune_hook.c and the stages it runs, on an engine without a model. */
#include "fake_engine.h"
#include "faults.h"

#include <math.h>

#include <sparsevlm/prune.h>

static svlm_prune_options options(svlm_prune_method method)
{
    svlm_prune_options o;
    SVLM_INIT(&o);
    o.method = method;
    return o;
}

static svlm_hook hook_of(const svlm_prune_options *o)
{
    svlm_hook hook;
    svlm_error err;
    if (svlm_prune_hook(&hook, o, &err))
        fail_msg("%s", err.message);
    return hook;
}

static svlm_prune_report report_of(const svlm_hook *hook)
{
    svlm_prune_report r;
    SVLM_INIT(&r);
    CHECK(svlm_prune_get_report(hook, &r) == SVLM_OK);
    return r;
}

static const svlm_prune_method in_layers[] = {
    SVLM_PRUNE_SPARSEVLM, SVLM_PRUNE_SPARSEVLM_PLUS, SVLM_PRUNE_RANK, SVLM_PRUNE_PAPER,
    SVLM_PRUNE_ENERGY, SVLM_PRUNE_FASTV, SVLM_PRUNE_PDROP,
};
enum { N_IN_LAYERS = sizeof in_layers / sizeof *in_layers };

/* Rows that come after a stage of the published lists. */
static void test_published_counts(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
    svlm_hook hook = hook_of(&o);
    fake_engine *e = fake_one_picture(NULL, 576, 20);
    CHECK(hook.first_layer_of(hook.user, 32) == 2 && fake_prefill(e, &hook) == SVLM_OK);
    CHECK(e->n_entering[2] == 576 && e->n_entering[3] == 309 && e->n_entering[6] == 309);
    CHECK(e->n_entering[7] == 204 && e->n_entering[16] == 113 && e->n_entering[31] == 113);
    for (int i = 0; i < e->n_rows; i++)
        CHECK(e->position[i] == i);                       /* renumbered */
    svlm_prune_report r = report_of(&hook);
    CHECK(r.n_text == 20 && r.n_stages == 3 && r.text_row[0] == 579 && r.text_token[0] == 679);
    CHECK(r.stages[1].n_in == 309 && r.stages[1].n_merged == 4 && r.stages[1].n_recycled == 33);
    int merged = 0;
    for (int i = 0; i < 309; i++)
        merged += r.stages[1].in_origin[i] < 0;
    CHECK(merged == 9);
    hook.destroy(hook.user);
    fake_free(e);
}

/* One head, six visual rows (3..8), three text rows; the embeddings let text rows 1 and 2 of
 * the three judge. */
static float by_hand(const fake_engine *e, int layer, int head, int query, int row)
{
    static const float p[3][6] = {
        { 1, 1, 1, 1, 1, 1 },                             /* does not judge */
        { .125f, .5f, .25f, .375f, 0, .25f },
        { .375f, 0, .25f, .5f, .125f, .25f },             /* means 1/4 1/4 1/4 7/16 1/16 1/4 */
    };
    (void)layer;
    (void)head;
    int q = e->born[query] - 9, c = e->born[row] - 3;
    return c >= 0 && c < 6 ? p[q][c] : 0;
}

static void test_by_hand(void **state)
{
    (void)state;
    static const int layers[] = { 4 }, keep[] = { 3 };
    for (int compat = 0; compat < 2; compat++) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
        o.n_layers_list = 1;
        o.layers = layers;
        o.keep = keep;
        o.compat = compat;
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(by_hand, 6, 3);
        e->n_heads = 1;
        memset(e->hidden, 0, sizeof e->hidden);
        for (int i = 3; i < 9; i++)
            e->hidden[i][0] = 1;
        e->hidden[10][0] = e->hidden[11][0] = 2;          /* against 0 of text row 0 */
        CHECK(hook.first_layer_of(hook.user, 32) == 4 && fake_prefill(e, &hook) == SVLM_OK);
        svlm_prune_report r = report_of(&hook);
        CHECK(r.n_raters == 2 && r.raters[0] == 1 && r.raters[1] == 2 && !r.raters_fallback);
        svlm_prune_stage s = r.stages[0];
        CHECK(s.layer == 4 && s.score[0] == .25f && s.score[3] == .4375f && s.score[4] == .0625f);
        /* The best, and of four equals the first two. */
        CHECK(s.n_keep == 3 && s.keep[0] == 0 && s.keep[1] == 1 && s.keep[2] == 3);
        /* Three pruned rows are too few to recycle, but not for the published code. */
        CHECK(s.n_recycled == compat && s.n_merged == compat);
        CHECK(!compat || (s.recycled[0] == 2 && s.assign[0] == 0 && s.centre[0] == 0));
        CHECK(e->n_rows == 3 + 3 + compat + 3);
        hook.destroy(hook.user);
        fake_free(e);
    }
}

static float same_everywhere(const fake_engine *e, int layer, int head, int query, int row)
{
    (void)e, (void)layer, (void)head, (void)query, (void)row;
    return 0.001f;
}

static void test_equal_scores_keep_the_first(void **state)
{
    (void)state;
    static const svlm_prune_method listed[] = { SVLM_PRUNE_SPARSEVLM, SVLM_PRUNE_FASTV,
                                                SVLM_PRUNE_PDROP };
    for (int m = 0; m < 3; m++) {
        svlm_prune_options o = options(listed[m]);
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(same_everywhere, 576, 20);
        CHECK(fake_prefill(e, &hook) == SVLM_OK);
        svlm_prune_stage s = report_of(&hook).stages[0];
        for (int i = 0; i < s.n_keep; i++)
            CHECK(s.keep[i] == i);
        for (int i = 0; i < s.n_recycled; i++)
            CHECK(s.recycled[i] == s.n_keep + i);
        hook.destroy(hook.user);
        fake_free(e);
    }
}

/* Rank 1: 13 kept. All energy equal: 0.9 of the rows. */
static void test_equal_scores_by_content(void **state)
{
    (void)state;
    static const int want[] = { 13, 519 };
    for (int m = 0; m < 2; m++) {
        svlm_prune_options o = options(m ? SVLM_PRUNE_ENERGY : SVLM_PRUNE_RANK);
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(same_everywhere, 576, 20);
        CHECK(fake_prefill(e, &hook) == SVLM_OK);
        svlm_prune_stage s = report_of(&hook).stages[0];
        CHECK(abs(s.n_keep - want[m]) <= m);              /* the sum's rounding: one more */
        CHECK(s.rank == (m ? -1 : 1));
        hook.destroy(hook.user);
        fake_free(e);
    }
}

static float poisoned(const fake_engine *e, int layer, int head, int query, int row)
{
    return e->born[row] % 3 == 0 ? NAN : fake_noise(e, layer, head, query, row);
}

static float nothing_but_nan(const fake_engine *e, int layer, int head, int query, int row)
{
    (void)e, (void)layer, (void)head, (void)query, (void)row;
    return NAN;
}

static void test_nan_scores(void **state)
{
    (void)state;
    static const fake_attention bad[] = { poisoned, nothing_but_nan };
    for (int m = 0; m < N_IN_LAYERS; m++)
        for (int b = 0; b < 2; b++) {
            svlm_prune_options o = options(in_layers[m]);
            svlm_hook hook = hook_of(&o);
            fake_engine *e = fake_one_picture(bad[b], 576, 20);
            CHECK(fake_prefill(e, &hook) == SVLM_OK);
            svlm_prune_report r = report_of(&hook);
            if (in_layers[m] == SVLM_PRUNE_SPARSEVLM && b == 0)
                for (int i = 0; i < r.stages[0].n_keep; i++)
                    CHECK(!isnan(r.stages[0].score[r.stages[0].keep[i]]));
            hook.destroy(hook.user);
            fake_free(e);
        }
}

/* Without a question, or with one lone text row, nobody judges and all rows stay. The last
 * row of the prompt is enough for fastv and pdrop. */
static void test_too_little_text(void **state)
{
    (void)state;
    for (int m = 0; m < N_IN_LAYERS; m++)
        for (int n_text = 0; n_text < 3; n_text++) {
            svlm_prune_options o = options(in_layers[m]);
            svlm_hook hook = hook_of(&o);
            fake_engine *e = fake_one_picture(NULL, 576, n_text);
            CHECK(fake_prefill(e, &hook) == SVLM_OK);
            int last = in_layers[m] == SVLM_PRUNE_FASTV || in_layers[m] == SVLM_PRUNE_PDROP;
            CHECK((e->n_entering[31] < 576) == (n_text >= (last ? 1 : 2)));
            hook.destroy(hook.user);
            fake_free(e);
        }
}

static void test_no_picture(void **state)
{
    (void)state;
    for (int m = 0; m < N_IN_LAYERS; m++) {
        svlm_prune_options o = options(in_layers[m]);
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_new(NULL);
        fake_add(e, SVLM_ROW_TEXT, -1, 30);
        CHECK(fake_prefill(e, &hook) == SVLM_OK && e->n_rows == 30);
        CHECK(report_of(&hook).n_stages == 0);
        hook.destroy(hook.user);
        fake_free(e);
    }
}

/* A list that wants no fewer rows than there are leaves the layer alone; the published code
 * drops one and makes a merged row of it. */
static void test_more_wanted_than_exist(void **state)
{
    (void)state;
    static const int layers[] = { 2, 6 }, keep[] = { 300, 290 };
    for (int compat = 0; compat < 2; compat++) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
        o.n_layers_list = 2;
        o.layers = layers;
        o.keep = keep;
        o.compat = compat;
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(NULL, 256, 20);
        CHECK(fake_prefill(e, &hook) == SVLM_OK);
        CHECK(e->n_entering[31] == 256 && report_of(&hook).n_stages == 2 * compat);
        hook.destroy(hook.user);
        fake_free(e);
    }
}

static void test_layer_beyond_model(void **state)
{
    (void)state;
    static const int layers[] = { 32 };
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
    o.n_layers_list = 1;
    o.layers = layers;
    svlm_hook hook = hook_of(&o);
    fake_engine *e = fake_one_picture(NULL, 576, 20);
    CHECK(fake_prefill(e, &hook) == SVLM_ERR_ARG);
    hook.destroy(hook.user);
    fake_free(e);
}

/* With drop, without it, and with an engine that never calls it: the same rows. */
static void test_drop_changes_nothing(void **state)
{
    (void)state;
    for (int m = 0; m < N_IN_LAYERS; m++) {
        svlm_prune_options o = options(in_layers[m]);
        fake_engine *e[3];
        for (int way = 0; way < 3; way++) {
            o.no_drop = way == 1;
            svlm_hook hook = hook_of(&o);
            CHECK(!hook.drop == (way == 1));
            e[way] = fake_one_picture(NULL, 576, 20);
            e[way]->no_drop = way == 2;
            CHECK(fake_prefill(e[way], &hook) == SVLM_OK);
            hook.destroy(hook.user);
        }
        for (int way = 1; way < 3; way++) {
            CHECK(e[way]->n_rows == e[0]->n_rows);
            for (int i = 0; i < e[0]->n_rows; i++) {
                CHECK(e[way]->born[i] == e[0]->born[i]);
                CHECK(!memcmp(e[way]->hidden[i], e[0]->hidden[i], sizeof e[0]->hidden[i]));
            }
        }
        for (int way = 0; way < 3; way++)
            fake_free(e[way]);
    }
}

static fake_engine *three_pictures(void)
{
    fake_engine *e = fake_new(NULL);
    fake_add(e, SVLM_ROW_TEXT, -1, 5);
    for (int line = 0; line < 10; line++) {
        fake_add(e, SVLM_ROW_IMAGE, 0, 11);
        fake_add(e, SVLM_ROW_SEPARATOR, 0, 1);
    }
    fake_add(e, SVLM_ROW_TEXT, -1, 7);
    fake_add(e, SVLM_ROW_IMAGE, 1, 240);
    fake_add(e, SVLM_ROW_IMAGE, 2, 60);
    fake_add(e, SVLM_ROW_TEXT, -1, 30);
    return e;
}

static int count(const fake_engine *e, int kind, int image)
{
    int n = 0;
    for (int i = 0; i < e->n_rows; i++)
        n += (kind < 0 || e->kind[i] == kind) && (image < -1 || e->image[i] == image);
    return n;
}

static void test_several_pictures(void **state)
{
    (void)state;
    for (int m = 0; m < N_IN_LAYERS; m++)
        for (int flags = 0; flags < 8; flags++) {
            svlm_prune_options o = options(in_layers[m]);
            o.per_image = flags & 1;
            o.keep_separators = !!(flags & 2);
            o.raters_between = !!(flags & 4);
            svlm_hook hook = hook_of(&o);
            fake_engine *e = three_pictures();
            CHECK(fake_prefill(e, &hook) == SVLM_OK);
            CHECK(count(e, SVLM_ROW_TEXT, -2) == 42);
            CHECK(e->n_entering[31] < 420);
            if (o.keep_separators)
                CHECK(count(e, SVLM_ROW_SEPARATOR, -2) == 10);
            int n_text = report_of(&hook).n_text;
            CHECK(n_text == 30 + (o.raters_between ? 7 : 0));
            hook.destroy(hook.user);
            fake_free(e);
        }
}

/* 60 of 120 + 240 + 60 rows: 17, 34, 9 by largest remainders, whatever the scores. */
static void test_budget_per_picture(void **state)
{
    (void)state;
    static const int layers[] = { 3 }, keep[] = { 60 };
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM_PLUS);
    o.n_layers_list = 1;
    o.layers = layers;
    o.keep = keep;
    o.per_image = 1;
    svlm_hook hook = hook_of(&o);
    fake_engine *e = three_pictures();
    CHECK(fake_prefill(e, &hook) == SVLM_OK);
    CHECK(count(e, -1, 0) == 17 && count(e, -1, 1) == 34 && count(e, -1, 2) == 9);
    for (int i = 1; i < e->n_rows; i++)
        CHECK(e->position[i] > e->position[i - 1] && e->position[i] == e->born[i]);
    hook.destroy(hook.user);
    fake_free(e);
}

/* Merged rows stay with their picture, and under kept positions have their centre's. */
static void test_merged_rows(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
    o.positions = SVLM_POSITIONS_KEEP;
    svlm_hook hook = hook_of(&o);
    fake_engine *e = three_pictures(), *start = three_pictures();
    CHECK(fake_prefill(e, &hook) == SVLM_OK);
    svlm_prune_stage s = report_of(&hook).stages[0];
    CHECK(s.n_merged >= 3);
    int pooled = 0;
    for (int c = 0; c < s.n_merged; c++)
        CHECK(s.centre[c] >= 0 && s.centre[c] < s.n_recycled && s.assign[s.centre[c]] == c);
    for (int i = 0; i < s.n_recycled; i++) {
        CHECK(s.assign[i] >= 0 && s.assign[i] < s.n_merged);
        int centre = s.recycled[s.centre[s.assign[i]]];
        CHECK(s.in_image[s.recycled[i]] == s.in_image[centre]);
        CHECK(s.density[i] > 0 && s.density[i] <= 1);
        for (int k = 0; k < s.n_keep; k++)
            pooled += s.keep[k] == s.recycled[i];
    }
    CHECK(pooled == 0);
    for (int i = 0; i < e->n_rows; i++)
        if (e->kind[i] == SVLM_ROW_MERGED)                /* a place inside its picture */
            CHECK(start->image[e->position[i]] == e->image[i]);
    hook.destroy(hook.user);
    fake_free(e);
    fake_free(start);
}

static void test_question_words_only(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
    o.raters_question_only = 1;
    svlm_hook hook = hook_of(&o);
    fake_engine *e = fake_one_picture(NULL, 576, 20);
    for (int i = 583; i < 590; i++)
        e->question[i] = 1;
    CHECK(fake_prefill(e, &hook) == SVLM_OK);
    svlm_prune_report r = report_of(&hook);
    CHECK(r.n_text == 7 && r.text_row[0] == 583 && r.text_row[6] == 589);
    fake_free(e);
    e = fake_one_picture(NULL, 576, 20);                  /* no such words: the template judges */
    CHECK(fake_prefill(e, &hook) == SVLM_OK && report_of(&hook).n_text == 20);
    fake_free(e);
    hook.destroy(hook.user);
}

static void test_equal_text_falls_back(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
    svlm_hook hook = hook_of(&o);
    fake_engine *e = fake_one_picture(NULL, 576, 20);
    for (int i = 580; i < 599; i++)
        memcpy(e->hidden[i], e->hidden[579], sizeof e->hidden[i]);
    CHECK(fake_prefill(e, &hook) == SVLM_OK);
    svlm_prune_report r = report_of(&hook);
    CHECK(r.raters_fallback && r.n_raters == 20 && e->n_entering[31] == 113);
    fake_free(e);
    hook.destroy(hook.user);
}

/* 700 rows of text after the picture: at most the 256 strongest raters judge. */
static void test_long_text(void **state)
{
    (void)state;
    for (int compat = 0; compat < 2; compat++) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM);
        o.compat = compat;
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(NULL, 100, 700);
        CHECK(fake_prefill(e, &hook) == SVLM_OK);
        svlm_prune_report r = report_of(&hook);
        CHECK(compat ? r.n_raters > 256 : r.n_raters == 256);
        float least = INFINITY;
        for (int i = 0; i < r.n_raters; i++) {
            CHECK(i == 0 || r.raters[i] > r.raters[i - 1]);
            least = fminf(least, r.rater_score[r.raters[i]]);
        }
        int above = 0;
        for (int i = 0; i < r.n_text; i++)
            above += r.rater_score[i] > least;
        CHECK(above < r.n_raters);
        fake_free(e);
        hook.destroy(hook.user);
    }
}

static void test_priority_heads(void **state)
{
    (void)state;
    static const int given[] = { 0, 3, 99 }, want[] = { 2, 3, 4 };    /* ceil(14 / 32 * 4) is 2 */
    for (int i = 0; i < 3; i++) {
        svlm_prune_options o = options(SVLM_PRUNE_SPARSEVLM_PLUS);
        o.n_heads = given[i];
        svlm_hook hook = hook_of(&o);
        fake_engine *e = fake_one_picture(NULL, 576, 20);
        CHECK(fake_prefill(e, &hook) == SVLM_OK);
        svlm_prune_stage s = report_of(&hook).stages[0];
        CHECK(s.n_heads == want[i] && s.n_merged == 0);
        float least = INFINITY, most_left = 0;
        for (int h = 0; h < 4; h++) {
            int chosen = 0;
            for (int j = 0; j < s.n_heads; j++)
                chosen |= s.heads[j] == h;
            if (chosen)
                least = fminf(least, s.head_sums[h]);
            else
                most_left = fmaxf(most_left, s.head_sums[h]);
        }
        CHECK(least > most_left);
        fake_free(e);
        hook.destroy(hook.user);
    }
}

static void test_energy_bounds(void **state)
{
    (void)state;
    svlm_prune_options o = options(SVLM_PRUNE_ENERGY);
    o.energy = 0.5;
    o.min_keep = 100;
    o.max_keep = 120;
    svlm_hook hook = hook_of(&o);
    fake_engine *e = fake_one_picture(NULL, 576, 20);
    CHECK(fake_prefill(e, &hook) == SVLM_OK);
    svlm_prune_report r = report_of(&hook);
    CHECK(r.stages[0].n_keep == 120 && r.stages[2].n_keep == 100);
    fake_free(e);
    hook.destroy(hook.user);
}

/* Each allocation fails in turn: NOMEM, nothing leaks, and the hook works again. */
static void test_allocation_failures(void **state)
{
    (void)state;
    size_t alive = sv_alloc_alive();
    for (int m = 0; m < N_IN_LAYERS; m++) {
        svlm_prune_options o = options(in_layers[m]);
        svlm_status st = SVLM_ERR_NOMEM;
        for (int n = 0; st; n++) {
            CHECK(n < 100);
            svlm_hook hook;
            fake_engine *e = three_pictures();
            fault_from(n);
            st = svlm_prune_hook(&hook, &o, NULL);
            int made = !st;
            if (made)
                st = fake_prefill(e, &hook);
            fault_end();
            CHECK(st == SVLM_OK || st == SVLM_ERR_NOMEM);
            fake_free(e);
            if (!made)
                continue;
            e = three_pictures();
            CHECK(fake_prefill(e, &hook) == SVLM_OK);
            fake_free(e);
            e = three_pictures();
            size_t before = sv_alloc_count();
            CHECK(fake_prefill(e, &hook) == SVLM_OK);
            CHECK(sv_alloc_count() == before);            /* all memory is there by now */
            fake_free(e);
            hook.destroy(hook.user);
        }
    }
    CHECK(sv_alloc_alive() == alive);
}

static void test_report_of_others(void **state)
{
    (void)state;
    svlm_hook foreign = { 0 };
    svlm_prune_report r;
    SVLM_INIT(&r);
    CHECK(svlm_prune_get_report(&foreign, &r) == SVLM_ERR_ARG);
    CHECK(svlm_prune_get_report(NULL, &r) == SVLM_ERR_ARG);
    svlm_hook hook = hook_of(NULL);
    CHECK(svlm_prune_get_report(&hook, NULL) == SVLM_ERR_ARG);
    CHECK(report_of(&hook).n_stages == 0);
    hook.destroy(hook.user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_counts), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_equal_scores_keep_the_first),
        cmocka_unit_test(test_equal_scores_by_content), cmocka_unit_test(test_nan_scores),
        cmocka_unit_test(test_too_little_text), cmocka_unit_test(test_no_picture),
        cmocka_unit_test(test_more_wanted_than_exist), cmocka_unit_test(test_layer_beyond_model),
        cmocka_unit_test(test_drop_changes_nothing), cmocka_unit_test(test_several_pictures),
        cmocka_unit_test(test_budget_per_picture), cmocka_unit_test(test_merged_rows),
        cmocka_unit_test(test_question_words_only), cmocka_unit_test(test_equal_text_falls_back),
        cmocka_unit_test(test_long_text), cmocka_unit_test(test_priority_heads),
        cmocka_unit_test(test_energy_bounds),
        cmocka_unit_test(test_allocation_failures), cmocka_unit_test(test_report_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
