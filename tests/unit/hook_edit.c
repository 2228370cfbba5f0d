/* SPDX-License-Identifier: MIT */
/* What a hook's lists do to the rows, on hand-worked prompts, and that every kind
 * of bad list is refused and leaves the conversation as it was. */
#include "llm_fixture.h"

#include <math.h>

enum { N_CTX = 64, MAX = 64, WIDTH = 64 };

/* Hands out what it was given, and remembers what the next layer sees. */
typedef struct script {
    int layer;
    svlm_plan plan;
    svlm_drop drop;
    svlm_edit edit;
    svlm_reduction reduction;
    svlm_status fail[4];          /* reduce, begin, plan, edit */
    int n_end;
    /* rows entering layer + 1 */
    int n_rows;
    uint8_t kind[MAX];
    int32_t position[MAX], image[MAX], origin[MAX], token[MAX];
    float hidden[MAX];            /* first value of each row */
    /* what reduce was shown */
    int n_text, n_rows_shown;
    uint8_t question[MAX];
} script;

static svlm_status on_reduce(void *user, const svlm_reduce_view *v, svlm_reduction *r)
{
    script *s = user;
    size_t size = r->size;
    s->n_text = v->n_text;
    s->n_rows_shown = v->n_rows;
    memcpy(s->question, v->question, (size_t)v->n_text);
    if (v->image == 0) {
        *r = s->reduction;
        r->size = size;
    }
    return s->fail[0];
}

static svlm_status on_begin(void *user, const svlm_view *v)
{
    (void)v;
    return ((script *)user)->fail[1];
}

static svlm_status on_plan(void *user, const svlm_view *v, svlm_plan *plan)
{
    script *s = user;
    size_t size = plan->size;
    if (v->layer == s->layer) {
        *plan = s->plan;
        plan->size = size;
    } else if (v->layer == s->layer + 1) {
        s->n_rows = v->n_rows;
        for (int i = 0; i < v->n_rows; i++) {
            s->kind[i] = v->kind[i];
            s->position[i] = v->position[i];
            s->image[i] = v->image[i];
            s->origin[i] = v->origin[i];
            s->token[i] = v->token[i];
            s->hidden[i] = v->hidden[(size_t)i * (size_t)v->n_embd];
        }
    }
    return s->fail[2];
}

static svlm_status on_drop(void *user, const svlm_view *v, svlm_drop *drop)
{
    script *s = user;
    size_t size = drop->size;
    CHECK(v->n_query == s->plan.n_query && v->attention && v->hidden);
    for (int i = 0; i < v->n_query; i++)
        CHECK(v->query[i] == s->plan.query[i]);
    *drop = s->drop;
    drop->size = size;
    return SVLM_OK;
}

static svlm_status on_edit(void *user, const svlm_view *v, svlm_edit *edit)
{
    script *s = user;
    size_t size = edit->size;
    CHECK(!v->hidden_before == !s->plan.want_input);
    *edit = s->edit;
    edit->size = size;
    return s->fail[3];
}

static void on_end(void *user)
{
    ((script *)user)->n_end++;
}

static svlm_hook hook_of(script *s)
{
    return (svlm_hook){ .size = sizeof(svlm_hook), .user = s, .begin = on_begin, .plan = on_plan,
                        .drop = on_drop, .edit = on_edit, .end = on_end };
}

static float ones[MAX * WIDTH];

static script edit_at(int layer)
{
    for (int i = 0; i < MAX * WIDTH; i++)
        ones[i] = (float)(i / WIDTH + 1);
    return (script){ .layer = layer, .plan.edit = 1 };
}

/* ---- good lists ------------------------------------------------------------- */

/* t P(16) t P(9) t: rows 0, 1-16, 17, 18-26, 27. Of picture 0 rows 2 and 5 stay, of
 * picture 1 none; two merged rows join picture 1 and one picture 0. */
static const int32_t two_keep[] = { 0, 2, 5, 17, 27 }, two_image[] = { 1, 0, 1 };
static const int32_t two_position[] = { 20, 9, 25 };
static const int32_t two_want_image[] = { -1, 0, 0, 0, -1, 1, 1, -1 };
static const int32_t two_want_origin[] = { -1, 1, 4, -1, -1, -1, -1, -1 };
static const float two_want_merged[] = { 0, 0, 0, 2, 0, 1, 3, 0 };

static void run_two_pictures(llm_fixture *f, int renumber, const int32_t *position, int next)
{
    script sc = edit_at(1);
    svlm_hook hook = hook_of(&sc);
    sv_prompt p = fixture_prompt("tPtPt", 0, 1);
    sv_session *s = fixture_session(f, N_CTX, 0);
    sc.edit = (svlm_edit){ .n_keep = 5, .keep = two_keep, .n_merged = 3, .merged = ones,
                           .merged_image = two_image, .merged_position = two_position,
                           .renumber = renumber };
    fixture_prefill(f, s, &p, 0, &hook);
    CHECK(sc.n_rows == 8 && sc.n_end == 1);
    for (int i = 0; i < 8; i++) {
        int merged = two_want_merged[i] != 0;
        CHECK(sc.image[i] == two_want_image[i] && sc.origin[i] == two_want_origin[i]);
        CHECK(sc.position[i] == position[i]);
        CHECK((sc.kind[i] == SVLM_ROW_MERGED) == merged);
        CHECK((sc.kind[i] == SVLM_ROW_TEXT) == (sc.image[i] < 0));
        CHECK((sc.token[i] >= 0) == (sc.image[i] < 0));
        if (merged)
            CHECK(sc.hidden[i] == two_want_merged[i]);
    }
    /* The next turn's row tells where positions go on. */
    sv_prompt more = fixture_prompt("t", 5, 1);
    sc.edit = (svlm_edit){ 0 };
    fixture_prefill(f, s, &more, 0, &hook);
    CHECK(sc.n_rows == 1 && sc.position[0] == next);
    sv_session_free(s);
    sv_prompt_free(&p);
    sv_prompt_free(&more);
}

static void test_two_pictures(void **state)
{
    static const int32_t compact[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    static const int32_t keep[] = { 0, 2, 5, 9, 17, 20, 25, 27 };
    run_two_pictures(*state, 1, compact, 8);
    run_two_pictures(*state, 0, keep, 28);
}

static void test_kinds_and_attention(void **state)
{
    llm_fixture *f = *state;
    static const int32_t query[] = { 0, 5, 11 };
    script sc = edit_at(0);
    svlm_hook hook = hook_of(&sc);
    sv_prompt p = fixture_prompt("ttPt", 0, 2);
    sv_session *s = fixture_session(f, N_CTX, 0);
    sc.plan.n_query = 3;
    sc.plan.query = query;
    sc.plan.want_input = 1;
    fixture_prefill(f, s, &p, 1, &hook);
    CHECK(sc.n_rows == 12);
    for (int i = 0; i < 12; i++) {
        int want = i < 2 || i == 11 ? SVLM_ROW_TEXT : i == 10 ? SVLM_ROW_SEPARATOR
                                                               : SVLM_ROW_IMAGE;
        CHECK(sc.kind[i] == want && sc.position[i] == i);
        CHECK(sc.origin[i] == (want == SVLM_ROW_TEXT ? -1 : i - 2));
    }
    sv_session_free(s);
    sv_prompt_free(&p);
}

/* ---- the attention a hook is shown ------------------------------------------ */

typedef struct sums { double least, most; float future; int n; } sums;

static svlm_status plan_all(void *user, const svlm_view *v, svlm_plan *plan)
{
    static const int32_t query[] = { 1, 3, 4 };
    (void)user, (void)v;
    plan->edit = 1;
    plan->n_query = 3;
    plan->query = query;
    return SVLM_OK;
}

static svlm_status sum_up(void *user, const svlm_view *v, svlm_edit *edit)
{
    sums *s = user;
    (void)edit;
    for (int h = 0; h < v->n_heads; h++)
        for (int q = 0; q < v->n_query; q++) {
            const float *row = v->attention + ((size_t)h * 3 + (size_t)q) * (size_t)v->n_rows;
            double sum = 0;
            for (int i = 0; i < v->n_rows; i++) {
                sum += row[i];
                if (i > v->query[q])
                    s->future += row[i];
            }
            s->least = sum < s->least ? sum : s->least;
            s->most = sum > s->most ? sum : s->most;
            s->n++;
        }
    return SVLM_OK;
}

/* Each row sums to 1, and earlier turns take a part of it without having columns. */
static void test_attention_sums(void **state)
{
    llm_fixture *f = *state;
    sv_session *s = fixture_session(f, N_CTX, 0);
    sv_prompt p = fixture_prompt("ttttt", 0, 3);
    for (int turn = 0; turn < 2; turn++) {
        sums sum = { .least = 9 };
        svlm_hook hook = { .size = sizeof hook, .user = &sum, .plan = plan_all, .edit = sum_up };
        fixture_prefill(f, s, &p, 0, &hook);
        CHECK(sum.n == 4 * 3 * f->llm.n_heads && sum.future == 0);
        if (turn == 0)
            CHECK(fabs(sum.least - 1) < 1e-6 && fabs(sum.most - 1) < 1e-6);
        else
            CHECK(sum.least > 0 && sum.most < 0.999);
    }
    sv_session_free(s);
    sv_prompt_free(&p);
}

/* ---- bad lists -------------------------------------------------------------- */

/* Runs a script on t P(16) t; it has to be refused with these words. */
static void refuse(llm_fixture *f, script sc, const char *words)
{
    svlm_hook hook = hook_of(&sc);
    sv_prompt before = fixture_prompt("ttt", 0, 4), p = fixture_prompt("tPt", 3, 4);
    sv_session *s = fixture_session(f, N_CTX, 0), *fresh = fixture_session(f, N_CTX, 0);
    svlm_error err = { 0 };
    hook.reduce = sc.fail[0] || sc.reduction.size ? on_reduce : NULL;
    fixture_prefill(f, s, &before, 0, NULL);
    fixture_prefill(f, fresh, &before, 0, NULL);
    svlm_status st = sv_prefill(s, &p, f->picture, 1, &hook, NULL, &err);
    if (st != SVLM_ERR_HOOK || !strstr(err.message, words))
        fail_msg("status %d, '%s' does not say '%s'", st, err.message, words);
    CHECK(sc.n_end == 1 && sv_session_rows(s) == 3);
    fixture_prefill(f, s, &p, 0, NULL);
    fixture_prefill(f, fresh, &p, 0, NULL);
    check_equal_logits(f, s, fresh);
    sv_session_free(s);
    sv_session_free(fresh);
    sv_prompt_free(&before);
    sv_prompt_free(&p);
}

static void test_bad_plans_and_drops(void **state)
{
    llm_fixture *f = *state;
    static const int32_t falling[] = { 2, 1 }, twice[] = { 2, 2 }, beyond[] = { 17, 18 };
    static const int32_t negative[] = { -1, 2 }, text[] = { 0, 1 }, fine[] = { 1, 2 };
    const struct { const int32_t *list; int n; const char *words; } bad[] = {
        { falling, 2, "ascending" }, { twice, 2, "ascending" }, { beyond, 2, "below 18" },
        { negative, 2, "entry 0 is -1" }, { NULL, 2, "without a list" },
        { fine, -1, "-1 of 18" }, { fine, 19, "19 of 18" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        script plan = edit_at(1), drop = edit_at(1);
        plan.plan.n_query = bad[i].n;
        plan.plan.query = bad[i].list;
        refuse(f, plan, bad[i].words);
        drop.plan.n_query = 1;
        drop.plan.query = fine;
        drop.drop = (svlm_drop){ .n_unused = bad[i].n, .unused = bad[i].list };
        refuse(f, drop, bad[i].words);
    }
    script drop = edit_at(1);
    drop.plan.n_query = 1;
    drop.plan.query = fine;
    drop.drop = (svlm_drop){ .n_unused = 2, .unused = text };
    refuse(f, drop, "row 0, which is text");
    drop.drop = (svlm_drop){ .n_unused = 2, .unused = fine };
    refuse(f, drop, "keeps row 1, which its drop had named");      /* keep NULL: all */
}

static void test_bad_edits(void **state)
{
    llm_fixture *f = *state;
    static const int32_t unsorted[] = { 0, 3, 2, 17 }, no_first[] = { 1, 17 }, no_last[] = { 0, 1 };
    static const int32_t ends[] = { 0, 17 }, beyond[] = { 0, 17, 18 };
    static const int32_t one[] = { 1 }, minus[] = { -1 }, low[] = { 2 }, high[] = { 21 };
    static float bad_value[WIDTH];
    bad_value[WIDTH - 1] = NAN;
    script base = edit_at(1);
    const struct { svlm_edit edit; const char *words; } bad[] = {
        { { .n_keep = 4, .keep = unsorted, .renumber = 1 }, "entry 2 is 2" },
        { { .n_keep = 3, .keep = beyond, .renumber = 1 }, "entry 2 is 18" },
        { { .n_keep = 2, .keep = no_first, .renumber = 1 }, "drops row 0, which is text" },
        { { .n_keep = 2, .keep = no_last, .renumber = 1 }, "drops row 17, which is text" },
        { { .n_keep = 0, .keep = ends, .renumber = 1 }, "drops row 0" },
        { { .n_keep = -1, .keep = ends, .renumber = 1 }, "-1 of 18" },
        { { .n_merged = -1, .merged = ones, .renumber = 1 }, "-1 of them" },
        { { .n_merged = 1, .renumber = 1 }, "without values" },
        { { .n_merged = 1, .merged = bad_value, .renumber = 1 }, "row 0 of layer 1 is not finite" },
        { { .n_merged = 1, .merged = ones, .merged_image = one, .renumber = 1 }, "picture 1 of 1" },
        { { .n_merged = 1, .merged = ones, .merged_image = minus, .renumber = 1 }, "picture -1" },
        { { .n_merged = 1, .merged = ones }, "gives none for the merged rows" },
        { { .n_merged = 1, .merged = ones, .merged_position = low }, "must be 3 to 20" },
        { { .n_merged = 1, .merged = ones, .merged_position = high }, "position 21" },
        { { .n_merged = 44, .merged = ones, .renumber = 1 }, "more rows than the context" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        base.edit = bad[i].edit;
        refuse(f, base, bad[i].words);
    }
    static const char *const names[] = { "reduce failed", "begin failed", "plan failed",
                                         "edit failed" };
    for (int i = 0; i < 4; i++) {
        script fails = edit_at(1);
        fails.fail[i] = SVLM_ERR_NOMEM;
        refuse(f, fails, names[i]);
    }
}

/* ---- before layer 0 ---------------------------------------------------------- */

static void test_reduction(void **state)
{
    llm_fixture *f = *state;
    static const int32_t keep[] = { 3, 8 }, position[] = { 5 };
    for (int renumber = 0; renumber < 2; renumber++) {
        script sc = edit_at(0);
        svlm_hook hook = hook_of(&sc);
        sv_prompt p = fixture_prompt("tPtPqt", 0, 5);
        sv_session *s = fixture_session(f, N_CTX, 0);
        svlm_chat_stats st = { .size = sizeof st };
        hook.reduce = on_reduce;
        sc.reduction = (svlm_reduction){ .n_keep = 2, .keep = keep, .n_merged = 1, .merged = ones,
                                         .merged_position = position, .renumber = renumber };
        fixture_prefill(f, s, &p, 0, &hook);
        CHECK(sc.n_text == 2 && sc.question[0] == 1 && sc.question[1] == 0);
        /* t, rows 3 and 8 and one merged of picture 0, t, all 9 of picture 1, q, t */
        CHECK(sc.n_rows == 1 + 3 + 1 + 9 + 2);
        CHECK(sc.origin[1] == 3 && sc.origin[2] == 8 && sc.kind[3] == SVLM_ROW_MERGED);
        CHECK(sc.image[3] == 0 && sc.image[4] == -1 && sc.image[5] == 1 && sc.origin[13] == 8);
        CHECK(sc.position[1] == (renumber ? 1 : 1 + 3) && sc.position[3] == (renumber ? 3 : 1 + 5));
        CHECK(sc.position[4] == (renumber ? 4 : 17) && sc.position[5] == sc.position[4] + 1);
        sv_session_stats(s, &st);
        CHECK(st.n_prompt == 1 + 16 + 1 + 9 + 2 && st.n_visual == 25 && st.visual_in[0] == 12);
        CHECK(st.kv_bytes_unpruned / st.kv_bytes == 1 && st.kv_bytes_unpruned > st.kv_bytes);
        sv_session_free(s);
        sv_prompt_free(&p);
    }
}

static void test_reduction_makes_room(void **state)
{
    llm_fixture *f = *state;
    static const int32_t keep[] = { 0, 15 };
    script sc = edit_at(0);
    svlm_hook hook = hook_of(&sc);
    sv_prompt p = fixture_prompt("tPtt", 0, 6);
    sv_session *s = fixture_session(f, 5, 0), *large = fixture_session(f, N_CTX, 0);
    svlm_error err;
    hook.reduce = on_reduce;
    sc.reduction = (svlm_reduction){ .n_keep = 2, .keep = keep, .renumber = 1 };
    fixture_prefill(f, s, &p, 0, &hook);
    fixture_prefill(f, large, &p, 0, &hook);
    check_equal_logits(f, s, large);
    CHECK(sv_session_room(s) == 0);
    sv_session_reset(s);
    sc.reduction.n_merged = 1;
    sc.reduction.merged = ones;
    CHECK(sv_prefill(s, &p, f->picture, 1, &hook, NULL, &err) == SVLM_ERR_CONTEXT);
    /* Room for the first picture, but not for the text before the second. */
    sv_prompt longer = fixture_prompt("PtttPt", 0, 6);
    CHECK(sv_prefill(s, &longer, f->picture, 2, &hook, NULL, &err) == SVLM_ERR_CONTEXT);
    CHECK(sv_session_rows(s) == 0);
    sv_prompt_free(&longer);
    sv_session_free(s);
    sv_session_free(large);
    sv_prompt_free(&p);
}

static void test_bad_reductions(void **state)
{
    llm_fixture *f = *state;
    static const int32_t twice[] = { 3, 3 }, beyond[] = { 16 }, fine[] = { 1, 2 }, far[] = { 16 };
    const struct { svlm_reduction r; const char *words; } bad[] = {
        { { .n_keep = 2, .keep = twice, .renumber = 1 }, "entry 1 is 3" },
        { { .n_keep = 1, .keep = beyond, .renumber = 1 }, "below 16" },
        { { .n_keep = 17, .keep = fine, .renumber = 1 }, "17 of 16" },
        { { .n_merged = 1, .renumber = 1 }, "without values" },
        { { .n_keep = 2, .keep = fine, .n_merged = 1, .merged = ones }, "gives none" },
        { { .n_merged = 1, .merged = ones, .merged_position = far }, "must be 0 to 15" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        script sc = edit_at(3);
        sc.reduction = bad[i].r;
        sc.reduction.size = sizeof sc.reduction;
        refuse(f, sc, bad[i].words);
    }
}

static int open_all(void **state)
{
    static llm_fixture f;
    fixture_open(&f, NULL);
    CHECK(f.llm.n_embd == WIDTH);
    *state = &f;
    return 0;
}

static int close_all(void **state)
{
    fixture_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_pictures),
        cmocka_unit_test(test_kinds_and_attention),
        cmocka_unit_test(test_attention_sums),
        cmocka_unit_test(test_bad_plans_and_drops),
        cmocka_unit_test(test_bad_edits),
        cmocka_unit_test(test_reduction),
        cmocka_unit_test(test_reduction_makes_room),
        cmocka_unit_test(test_bad_reductions),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
