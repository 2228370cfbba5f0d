/* SPDX-License-Identifier: MIT */
/* Prefill and decoding on a tiny model: what pruning, turns, failures and
 * cancellation may and may not change. */
#include "llm_fixture.h"
#include "faults.h"

#include <math.h>

#include <sparsevlm/prune.h>

enum { N_CTX = 64 };

static const char PROMPT[] = "tttPtqqt";           /* 7 tokens and 16 rows */

static int lengths_sum(const sv_session *s)
{
    svlm_chat_stats st = { .size = sizeof st };
    int sum = 0;
    sv_session_stats(s, &st);
    for (int l = 0; l < st.n_layers; l++)
        sum += st.cached[l];
    return sum;
}

static void nothing(void *user, int layer, const float *rows, int n_rows)
{
    (void)user, (void)layer, (void)rows, (void)n_rows;
}

/* A hook that edits in every layer and keeps every row gives the bits of no hook.
 * Both are traced, for then the last layer is finished for all rows in both. */
static void test_keep_all_is_no_hook(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 0, 1, 2, 3 }, .n_layers = 4, .every = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt(PROMPT, 0, 1);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    sv_session_trace(a, nothing, NULL);
    sv_session_trace(b, nothing, NULL);
    fixture_prefill(f, a, &p, 0, NULL);
    fixture_prefill(f, b, &p, 0, &hook);
    CHECK(t.n_begin == 1 && t.n_edit == 4 && t.n_end == 1);
    check_equal_logits(f, a, b);
    for (int i = 0; i < 8; i++) {
        fixture_decode(a, 40 + i);
        fixture_decode(b, 40 + i);
        check_equal_logits(f, a, b);
    }
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&p);
}

/* The last layer finished for one row is the last layer finished for all. */
static void test_last_layer_for_one_row(void **state)
{
    llm_fixture *f = *state;
    sv_prompt p = fixture_prompt(PROMPT, 0, 1);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    sv_session_trace(a, nothing, NULL);
    fixture_prefill(f, a, &p, 0, NULL);
    fixture_prefill(f, b, &p, 0, NULL);
    check_same_logits(f, a, b);
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&p);
}

static void test_early_drop_changes_nothing(void **state)
{
    llm_fixture *f = *state;
    thin off = { .layers = { 1, 2, 3 }, .n_layers = 3, .merge = 1 }, on = off;
    on.drop = 1;
    svlm_hook hook_off = thin_hook(&off), hook_on = thin_hook(&on);
    sv_prompt p = fixture_prompt(PROMPT, 0, 2);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, a, &p, 0, &hook_off);
    fixture_prefill(f, b, &p, 0, &hook_on);
    CHECK(off.n_edit == 3 && on.n_edit == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(off.n_kept[i] == on.n_kept[i]);
        assert_memory_equal(off.kept[i], on.kept[i], sizeof *on.kept[i] * (size_t)on.n_kept[i]);
    }
    check_same_logits(f, a, b);
    CHECK(lengths_sum(a) == lengths_sum(b));
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&p);
}

/* What was generated after pruning, evaluated from scratch together with the prompt,
 * gives the same: rows that stay are chosen without looking at the text, so the
 * longer prompt loses the same ones. */
static void decode_equals_prefill(llm_fixture *f, int keep_positions)
{
    thin t = { .layers = { 0, 2 }, .n_layers = 2, .every = 2, .merge = 1, .drop = 1,
               .keep_positions = keep_positions };
    svlm_hook hook = thin_hook(&t);
    sv_prompt shorter = fixture_prompt(PROMPT, 0, 3), longer = fixture_prompt("tttPtqqttttt", 0, 3);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, a, &shorter, 0, &hook);
    for (size_t i = shorter.n; i < longer.n; i++)
        fixture_decode(a, longer.item[i].id);
    fixture_prefill(f, b, &longer, 0, &hook);
    check_same_logits(f, a, b);
    svlm_chat_stats x = { .size = sizeof x }, y = x;
    sv_session_stats(a, &x);
    sv_session_stats(b, &y);
    assert_memory_equal(x.cached, y.cached, (size_t)x.n_layers * sizeof *x.cached);
    CHECK(x.cached[0] == 27 && x.cached[2] == 20 && x.cached[3] == 17);
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&shorter);
    sv_prompt_free(&longer);
}

static void test_decode_equals_prefill(void **state)
{
    decode_equals_prefill(*state, 0);
    decode_equals_prefill(*state, 1);
}

static void test_all_visual_rows_dropped(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 1 }, .n_layers = 1, .every = THIN_MAX, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt(PROMPT, 0, 4);
    sv_session *s = fixture_session(f, N_CTX, 0);
    svlm_chat_stats st = { .size = sizeof st };
    fixture_prefill(f, s, &p, 0, &hook);
    sv_session_stats(s, &st);
    CHECK(st.visual_in[0] == 16 && st.visual_in[1] == 16 && st.visual_in[2] == 0);
    CHECK(st.cached[1] == 23 && st.cached[2] == 7);
    CHECK(st.visual_average == 8 && st.visual_average_after == 4);
    double full = svlm_layer_macs(23, f->llm.n_embd, f->llm.n_ff, 0.5);
    double few = svlm_layer_macs(7, f->llm.n_embd, f->llm.n_ff, 0.5);
    CHECK(st.macs_unpruned == 4 * full && st.macs == 2 * full + 2 * few);
    fixture_decode(s, 5);
    sv_session_free(s);
    sv_prompt_free(&p);
}

/* Two turns are one long prompt, also after pruning decided nothing. */
static void test_turns_equal_one_prompt(void **state)
{
    llm_fixture *f = *state;
    sv_prompt whole = fixture_prompt("tttPtqqtttPqt", 0, 5), one = fixture_prompt("tttPtqqt", 0, 5);
    sv_prompt two = fixture_prompt("ttPqt", 8, 5);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, a, &whole, 0, NULL);
    fixture_prefill(f, b, &one, 0, NULL);
    fixture_prefill(f, b, &two, 1, NULL);
    check_same_logits(f, a, b);
    CHECK(sv_session_rows(a) == 36 && sv_session_rows(b) == 36);
    CHECK(sv_session_room(b) == N_CTX - 36);
    sv_session_reset(b);
    CHECK(sv_session_rows(b) == 0);
    fixture_prefill(f, b, &whole, 0, NULL);
    check_equal_logits(f, a, b);
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&whole);
    sv_prompt_free(&one);
    sv_prompt_free(&two);
}

/* A pruned second turn over a pruned first one; later layers know fewer rows. */
static void test_pruned_turns(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 1, 2 }, .n_layers = 2, .merge = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt one = fixture_prompt(PROMPT, 0, 6), two = fixture_prompt("tPqt", 8, 6);
    sv_session *s = fixture_session(f, N_CTX, 0);
    svlm_chat_stats st = { .size = sizeof st };
    fixture_prefill(f, s, &one, 0, &hook);
    fixture_prefill(f, s, &two, 1, &hook);
    sv_session_stats(s, &st);
    CHECK(st.cached[0] == 23 + 12 && st.rows_in[0] == 12 && st.rows_in[2] == 3 + 4 + 1);
    CHECK(st.cached[2] == (7 + 8 + 1) + (3 + 4 + 1));
    sv_session_free(s);
    sv_prompt_free(&one);
    sv_prompt_free(&two);
}

static int stop_at(void *user, svlm_stage stage, int done, int total)
{
    CHECK(stage == SVLM_STAGE_PREFILL && total == 4);
    return done == *(int *)user;
}

static void test_cancel_at_every_layer(void **state)
{
    llm_fixture *f = *state;
    sv_prompt one = fixture_prompt("ttt", 0, 7), two = fixture_prompt(PROMPT, 3, 7);
    sv_session *a = fixture_session(f, N_CTX, 0), *b = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, a, &one, 0, NULL);
    fixture_prefill(f, a, &two, 0, NULL);
    fixture_prefill(f, b, &one, 0, NULL);
    for (int layer = 0; layer <= 4; layer++) {
        thin t = { .layers = { 1, 2 }, .n_layers = 2 };
        svlm_hook hook = thin_hook(&t);
        sv_progress progress = { stop_at, &layer };
        svlm_error err;
        CHECK(sv_prefill(b, &two, f->picture, 1, &hook, &progress, &err) == SVLM_ERR_CANCELLED);
        CHECK(t.n_end == 1);
        CHECK(sv_session_rows(b) == 3 && lengths_sum(b) == 12);
    }
    fixture_prefill(f, b, &two, 0, NULL);
    check_equal_logits(f, a, b);
    sv_session_free(a);
    sv_session_free(b);
    sv_prompt_free(&one);
    sv_prompt_free(&two);
}

static void refuse(llm_fixture *f, sv_session *s, const char *layout, int n_images,
                   svlm_status want, const char *words)
{
    sv_prompt p = fixture_prompt(layout, 0, 8);
    svlm_error err;
    int before = lengths_sum(s);
    CHECK(sv_prefill(s, &p, f->picture, n_images, NULL, NULL, &err) == want);
    if (!strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
    CHECK(lengths_sum(s) == before);
    sv_prompt_free(&p);
}

static void test_prompts_refused(void **state)
{
    llm_fixture *f = *state;
    sv_session *s = fixture_session(f, 20, 0);
    sv_prompt fits = fixture_prompt("tttPt", 0, 8), bad = fixture_prompt("tt", 0, 8);
    svlm_error err;
    refuse(f, s, "", 0, SVLM_ERR_ARG, "empty");
    refuse(f, s, "tPt", 0, SVLM_ERR_ARG, "places for 1 pictures, 0 were given");
    refuse(f, s, "t", 1, SVLM_ERR_ARG, "places for 0 pictures, 1 were given");
    refuse(f, s, "ttttPt", 1, SVLM_ERR_CONTEXT, "21 rows, 16 of them of pictures");
    bad.item[1].id = f->llm.n_vocab;
    CHECK(sv_prefill(s, &bad, NULL, 0, NULL, NULL, &err) == SVLM_ERR_ARG);
    CHECK(sv_decode(s, -1, &err) == SVLM_ERR_ARG);
    fixture_prefill(f, s, &fits, 0, NULL);
    refuse(f, s, "t", 0, SVLM_ERR_CONTEXT, "room for 0 of 20");
    CHECK(sv_decode(s, 1, &err) == SVLM_ERR_CONTEXT);
    sv_session_free(s);
    sv_prompt_free(&fits);
    sv_prompt_free(&bad);

    sv_session_options o = { .n_ctx = 0 };
    uint64_t cost;
    CHECK(sv_session_cost(&f->llm, &o, &cost, &err) == SVLM_ERR_ARG);
    o.n_ctx = INT32_MAX;
    CHECK(sv_session_cost(&f->llm, &o, &cost, &err) == SVLM_ERR_ARG);
}

static void test_cost_is_what_is_taken(void **state)
{
    llm_fixture *f = *state;
    sv_session_options o = { .n_ctx = 100, .n_threads = 2 };
    uint64_t cost = 0;
    svlm_error err;
    sv_session *s;
    size_t alive = sv_alloc_alive();
    CHECK(!sv_session_cost(&f->llm, &o, &cost, &err) && sv_alloc_alive() == alive);
    CHECK(!sv_session_new(&s, &f->llm, sv_kernels_get(), &o, &err));
    size_t taken = sv_alloc_alive() - alive;
    CHECK(taken >= cost && taken - cost < 256);     /* the allocator's own header */
    sv_session_free(s);
    CHECK(sv_alloc_alive() == alive);
}

static void test_decode_allocates_nothing(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 1 }, .n_layers = 1, .every = 2 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt(PROMPT, 0, 9);
    sv_session *s = fixture_session(f, N_CTX, 0);
    fixture_prefill(f, s, &p, 0, &hook);
    size_t before = sv_alloc_count();
    for (int i = 0; i < 20; i++)
        fixture_decode(s, i);
    CHECK(sv_alloc_count() == before);
    sv_session_free(s);
    sv_prompt_free(&p);
}

static svlm_status whole_run(const llm_fixture *f, const sv_prompt *p, const svlm_hook *hook)
{
    sv_session_options o = { .n_ctx = N_CTX, .n_threads = 1, .reuse_bytes = 1 << 20 };
    sv_session *s;
    svlm_error err = { 0 };
    svlm_status st = sv_session_new(&s, &f->llm, sv_kernels_get(), &o, &err);
    if (!st)
        st = sv_prefill(s, p, f->picture, 1, hook, NULL, &err);
    if (!st)
        st = sv_decode(s, 3, &err);
    CHECK(!st || err.message[0]);
    sv_session_free(s);
    return st;
}

/* Every allocation fails once; what only makes the next question faster may. */
static void test_every_allocation_fails(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 1, 2 }, .n_layers = 2, .merge = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt(PROMPT, 0, 10);
    hook.first_layer = 1;
    svlm_status st;
    int n_failed = 0;
    for (int n = 0;; n++) {
        svlm_features *kept = f->picture[0];
        size_t alive = sv_alloc_alive();
        fault_at(n);
        st = whole_run(f, &p, &hook);
        int failed = fault_end();
        if (kept->reuse_free) {
            kept->reuse_free(kept->reuse);
            kept->reuse = NULL;
            kept->reuse_free = NULL;
        }
        CHECK(sv_alloc_alive() == alive);
        if (!failed)
            break;
        CHECK(st == SVLM_ERR_NOMEM || st == SVLM_OK);
        n_failed += st != SVLM_OK;
    }
    /* The session, its block, two lists of pictures, spans and their counts, the attention. */
    CHECK(st == SVLM_OK && n_failed == 7 && t.n_end >= t.n_begin);
    sv_prompt_free(&p);
}

/* ---- weights with NaN ------------------------------------------------------- */

static void poison(void *user, const sv_gguf_tensor *t, void *bytes, size_t n_bytes)
{
    const uint16_t nan = 0x7e00;
    if (!strcmp(t->name, user) && n_bytes >= sizeof nan)
        memcpy(bytes, &nan, sizeof nan);
}

static void poisoned(const char *tensor, const char *words, const svlm_hook *hook)
{
    sv_model_shape shape = tiny_shape();
    llm_fixture f;
    svlm_error err = { 0 };
    shape.patch_with = (sv_model_patch){ .data = poison, .user = (void *)(uintptr_t)tensor };
    fixture_open(&f, &shape);
    sv_session *s = fixture_session(&f, N_CTX, 0);
    sv_prompt p = fixture_prompt(PROMPT, 0, 11);
    CHECK(sv_prefill(s, &p, f.picture, 1, hook, NULL, &err) == SVLM_ERR_NUMERIC);
    if (!strstr(err.message, "non-finite logits") || !strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
    CHECK(sv_session_rows(s) == 0);
    CHECK(sv_decode(s, 1, &err) == SVLM_ERR_NUMERIC && sv_session_rows(s) == 0);
    sv_session_free(s);
    sv_prompt_free(&p);
    fixture_close(&f);
}

static void test_nan_in_weights(void **state)
{
    (void)state;
    thin t = { .layers = { 2 }, .n_layers = 1, .merge = 1 };
    svlm_hook hook = thin_hook(&t);
    poisoned("blk.2.ffn_down.weight", "layer 2", NULL);
    poisoned("blk.2.ffn_down.weight", "layer 2", &hook);
    poisoned("output.weight", "output matrix", NULL);
}

/* Bit for bit, with chunks and heads spread over more threads. */
static void test_threads_do_not_matter(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 1, 2 }, .n_layers = 2, .merge = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_prompt p = fixture_prompt(PROMPT, 0, 12);
    for (int precise = 0; precise < 2; precise++) {
        sv_session *s[2];
        svlm_error err;
        for (int i = 0; i < 2; i++) {
            sv_session_options o = { .n_ctx = N_CTX, .n_threads = i ? 3 : 1, .precise = precise };
            CHECK(!sv_session_new(&s[i], &f->llm, sv_kernels_get(), &o, &err));
            fixture_prefill(f, s[i], &p, 0, &hook);
            fixture_decode(s[i], 9);
        }
        check_equal_logits(f, s[0], s[1]);
        sv_session_free(s[0]);
        sv_session_free(s[1]);
    }
    sv_prompt_free(&p);
}

static int open_all(void **state)
{
    static llm_fixture f;
    fixture_open(&f, NULL);
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
        cmocka_unit_test(test_keep_all_is_no_hook),
        cmocka_unit_test(test_last_layer_for_one_row),
        cmocka_unit_test(test_early_drop_changes_nothing),
        cmocka_unit_test(test_decode_equals_prefill),
        cmocka_unit_test(test_all_visual_rows_dropped),
        cmocka_unit_test(test_turns_equal_one_prompt),
        cmocka_unit_test(test_pruned_turns),
        cmocka_unit_test(test_cancel_at_every_layer),
        cmocka_unit_test(test_prompts_refused),
        cmocka_unit_test(test_cost_is_what_is_taken),
        cmocka_unit_test(test_decode_allocates_nothing),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_nan_in_weights),
        cmocka_unit_test(test_threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
