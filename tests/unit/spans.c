/* SPDX-License-Identifier: MIT */
/* lib/llm/spans.c: how many rows of each picture, and of each grid of its tiles, enter
 * each layer, against counts made by hand. */
#include "llm_fixture.h"

enum { N_CTX = 64, N_LAYERS = 4 };

static int setup(void **state)
{
    static llm_fixture f;
    fixture_open(&f, NULL);
    for (int i = 5; i < 9; i++)                 /* as if these were of detail tiles */
        f.picture[1]->cells[i].tile = 1;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

typedef struct expected { int image, tile, n_rows, rows_in[N_LAYERS + 1]; } expected;

static void check_spans(const sv_session *s, const expected *want, int n)
{
    svlm_chat_stats st = { .size = sizeof st };
    int sum[N_LAYERS] = { 0 };
    sv_session_stats(s, &st);
    assert_int_equal(st.n_spans, n);
    for (int i = 0; i < n; i++) {
        const svlm_visual_span *span = &st.spans[i];
        CHECK(span->image == want[i].image && span->tile == want[i].tile);
        assert_int_equal(span->n_rows, want[i].n_rows);
        for (int l = 0; l <= N_LAYERS; l++)
            assert_int_equal(span->rows_in[l], want[i].rows_in[l]);
        for (int l = 0; l < N_LAYERS; l++)
            sum[l] += span->rows_in[l];
    }
    for (int l = 0; l < N_LAYERS; l++)
        assert_int_equal(sum[l], st.visual_in[l]);
}

static void test_nothing_pruned(void **state)
{
    static const expected both[] = {
        { 0, 0, 16, { 16, 16, 16, 16, 16 } }, { 0, -1, 0, { 0 } },
        { 1, 0, 5, { 5, 5, 5, 5, 5 } }, { 1, 1, 4, { 4, 4, 4, 4, 4 } }, { 1, -1, 0, { 0 } },
    };
    llm_fixture *f = *state;
    sv_prompt p = fixture_prompt("tPtPqt", 0, 1), text = fixture_prompt("tqt", 6, 1);
    sv_session *s = fixture_session(f, N_CTX, 0);
    check_spans(s, NULL, 0);
    fixture_prefill(f, s, &p, 0, NULL);
    check_spans(s, both, 5);
    fixture_prefill(f, s, &text, 0, NULL);      /* a turn without pictures */
    check_spans(s, NULL, 0);
    sv_session_reset(s);
    fixture_prefill(f, s, &p, 0, NULL);
    check_spans(s, both, 5);
    sv_session_reset(s);
    check_spans(s, NULL, 0);
    sv_session_free(s);
    sv_prompt_free(&p);
    sv_prompt_free(&text);
}

/* After layer 1 visual rows 0, 3, 6 ... stay of the 25, and one merged row joins the
 * first picture; after layer 3 those at 0, 3, 6 and 9 of the ten. */
static void test_pruned(void **state)
{
    static const expected left[] = {
        { 0, 0, 16, { 16, 16, 6, 6, 2 } }, { 0, -1, 0, { 0, 0, 1, 1, 2 } },
        { 1, 0, 5, { 5, 5, 1, 1, 0 } }, { 1, 1, 4, { 4, 4, 2, 2, 1 } }, { 1, -1, 0, { 0 } },
    };
    llm_fixture *f = *state;
    thin t = { .layers = { 1, 3 }, .n_layers = 2, .every = 3, .merge = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt("tPtPqt", 0, 1);
    sv_session *s = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, s, &p, 0, &hook);
    check_spans(s, left, 5);
    sv_session_free(s);
    sv_prompt_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_pruned),
        cmocka_unit_test(test_pruned),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
