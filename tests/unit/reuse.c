/* SPDX-License-Identifier: MIT */
/* The same picture, another question: what is reused changes nothing but the time. */
#include "llm_fixture.h"

#include "base/alloc.h"
#include "base/threads.h"

enum { N_CTX = 64, PLENTY = 1 << 20 };

static int reused(const sv_session *s)
{
    svlm_chat_stats st = { .size = sizeof st };
    sv_session_stats(s, &st);
    CHECK((st.n_reused > 0) <= (st.reuse_bytes > 0));
    return st.n_reused;
}

/* Asks session s, which keeps states, and a fresh one, which does not, and compares
 * them, also after a few tokens. Returns the rows s reused. */
static int ask(llm_fixture *f, sv_session *s, const char *layout, uint32_t salt, int first,
               const svlm_hook *hook)
{
    sv_prompt p = fixture_prompt(layout, 0, salt);
    sv_session *plain = fixture_session(f, N_CTX, 0);
    svlm_chat_stats x = { .size = sizeof x }, y = x;
    sv_session_reset(s);
    fixture_prefill(f, plain, &p, first, hook);
    fixture_prefill(f, s, &p, first, hook);
    CHECK(reused(plain) == 0);
    sv_session_stats(s, &x);
    sv_session_stats(plain, &y);
    assert_memory_equal(x.cached, y.cached, (size_t)x.n_layers * sizeof *x.cached);
    CHECK(reused(s) ? x.macs < y.macs : x.macs == y.macs);
    assert_memory_equal(x.rows_in, y.rows_in, (size_t)x.n_layers * sizeof *x.rows_in);
    for (int i = 0; i < 3; i++) {
        check_same_logits(f, plain, s);
        fixture_decode(plain, 7 + i);
        fixture_decode(s, 7 + i);
    }
    sv_session_free(plain);
    sv_prompt_free(&p);
    return reused(s);
}

/* Prompts of one salt begin with the same tokens. */
static void forget(llm_fixture *f)
{
    for (int i = 0; i < 2; i++)
        if (f->picture[i]->reuse_free) {
            f->picture[i]->reuse_free(f->picture[i]->reuse);
            f->picture[i]->reuse = NULL;
            f->picture[i]->reuse_free = NULL;
        }
}

static void test_second_question(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 2 }, .n_layers = 1, .merge = 1, .drop = 1 };
    svlm_hook hook = thin_hook(&t);
    sv_session *s = fixture_session(f, N_CTX, PLENTY);
    hook.first_layer = 2;
    forget(f);
    CHECK(ask(f, s, "tttPtqqt", 1, 0, &hook) == 0);
    CHECK(ask(f, s, "tttPqqqqqqt", 1, 0, &hook) == 3 + 16);
    CHECK(ask(f, s, "tttPt", 1, 0, &hook) == 3 + 16);
    CHECK(t.n_begin == t.n_end);
    sv_session_free(s);
}

/* Without a hook the keys and values of all layers are kept. */
static void test_second_question_without_hook(void **state)
{
    llm_fixture *f = *state;
    sv_session *s = fixture_session(f, N_CTX, PLENTY), *other = fixture_session(f, N_CTX, PLENTY);
    forget(f);
    CHECK(ask(f, s, "tttPtqqt", 2, 0, NULL) == 0);
    CHECK(ask(f, s, "tttPqt", 2, 0, NULL) == 19);
    CHECK(ask(f, other, "tttPqqt", 2, 0, NULL) == 19);      /* they share the picture */
    sv_session_free(s);
    sv_session_free(other);
}

static void test_what_does_not_fit(void **state)
{
    llm_fixture *f = *state;
    thin t = { .layers = { 2 }, .n_layers = 1 };
    svlm_hook hook = thin_hook(&t), earlier, none;
    sv_session *s = fixture_session(f, N_CTX, PLENTY), *small = fixture_session(f, N_CTX, 1000);
    hook.first_layer = 2;
    earlier = none = hook;
    earlier.first_layer = 1;
    none.first_layer = 0;
    forget(f);
    CHECK(ask(f, small, "tttPtqqt", 3, 0, &hook) == 0);
    CHECK(ask(f, small, "tttPtqqt", 3, 0, &hook) == 0);     /* too large to keep      */
    CHECK(ask(f, s, "tttPtqqt", 3, 0, &hook) == 0);
    CHECK(ask(f, s, "tttPtqqt", 4, 0, &hook) == 0);         /* other tokens before it */
    CHECK(ask(f, s, "tttPtqqt", 4, 0, &hook) == 19);
    CHECK(ask(f, s, "ttPtqqt", 4, 0, &hook) == 0);          /* fewer                  */
    CHECK(ask(f, s, "ttPtqqt", 4, 0, &earlier) == 0);       /* another layer          */
    CHECK(ask(f, s, "ttPtqqt", 4, 0, &none) == 0);          /* no promise             */
    CHECK(ask(f, s, "ttPtqqt", 4, 0, NULL) == 0);
    CHECK(ask(f, s, "ttP", 4, 0, NULL) == 0);               /* no question            */
    CHECK(ask(f, s, "ttt", 4, 0, NULL) == 0);               /* no picture             */
    sv_session_free(s);
    sv_session_free(small);
}

static void test_two_pictures(void **state)
{
    llm_fixture *f = *state;
    sv_session *s = fixture_session(f, N_CTX, PLENTY);
    svlm_features *swap[2] = { f->picture[1], f->picture[0] };
    forget(f);
    CHECK(ask(f, s, "tPttPt", 5, 0, NULL) == 0);
    CHECK(ask(f, s, "tPttPqqt", 5, 0, NULL) == 1 + 16 + 2 + 9);
    memcpy(f->picture, swap, sizeof swap);
    CHECK(ask(f, s, "tPttPt", 5, 0, NULL) == 0);
    CHECK(ask(f, s, "tPttPqt", 5, 0, NULL) == 28);
    memcpy(swap, f->picture, sizeof swap);
    f->picture[0] = swap[1];
    f->picture[1] = swap[0];
    CHECK(ask(f, s, "tPttPqqt", 5, 0, NULL) == 28);         /* its last picture has it still */
    CHECK(ask(f, s, "tPt", 5, 0, NULL) == 0);
    sv_session_free(s);
}

/* A state belongs to a first turn. */
static void test_later_turn(void **state)
{
    llm_fixture *f = *state;
    sv_session *s = fixture_session(f, N_CTX, PLENTY);
    sv_prompt p = fixture_prompt("tPt", 0, 6);
    forget(f);
    CHECK(ask(f, s, "tPt", 6, 0, NULL) == 0);
    fixture_prefill(f, s, &p, 0, NULL);
    CHECK(reused(s) == 0);
    sv_session_free(s);
    sv_prompt_free(&p);
}

/* Sessions on several threads replace and read each other's states. */
static void ask_often(void *arg, int task, int thread)
{
    llm_fixture *f = arg;
    svlm_error err;
    sv_session *s = fixture_session(f, N_CTX, PLENTY);
    (void)thread;
    for (uint32_t i = 0; i < 20; i++) {
        sv_prompt p = fixture_prompt("ttPtt", 0, (uint32_t)task % 2 + i / 10);
        sv_session_reset(s);
        if (sv_prefill(s, &p, f->picture, 1, NULL, NULL, &err))
            abort();
        sv_prompt_free(&p);
    }
    sv_session_free(s);
}

static void test_threads_share_a_picture(void **state)
{
    llm_fixture *f = *state;
    forget(f);
    sv_parallel(4, 4, ask_often, f);
    sv_session *s = fixture_session(f, N_CTX, PLENTY);
    ask(f, s, "ttPtt", 1, 0, NULL);
    ask(f, s, "ttPtt", 2, 0, NULL);
    sv_session_free(s);
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
    CHECK(sv_alloc_alive() == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_question),
        cmocka_unit_test(test_second_question_without_hook),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_two_pictures),
        cmocka_unit_test(test_later_turn),
        cmocka_unit_test(test_threads_share_a_picture),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
