/* SPDX-License-Identifier: MIT */
/* Conversations: turns, contexts that overflow, hooks that fail, cancelling, two threads. */
#include "small.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>

#include "base/alloc.h"
#include "check.h"

enum { N = 12 };

static svlm_error err;

static svlm_chat_options chat_options(void)
{
    svlm_chat_options o;
    SVLM_INIT(&o);
    o.n_ctx = 512;
    o.kv_f32 = 1;
    return o;
}

typedef struct reply { int32_t id[N]; int n; } reply;

static reply ask(svlm_chat *chat, svlm_features *features, const char *text)
{
    reply r = { { 0 }, 0 };
    r.n = small_ask(chat, features, text, r.id, N);
    return r;
}

static int same(const reply *a, const reply *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, (size_t)a->n * sizeof a->id[0]);
}

/* ---- turns ------------------------------------------------------------------ */

static void test_the_same_again(void **state)
{
    small *s = *state;
    const svlm_chat_options o = chat_options();
    svlm_chat *chat = small_chat(s->model, &o);
    const reply first = ask(chat, s->features, "what is it?");
    CHECK(!svlm_chat_reset(chat, &err));
    const reply again = ask(chat, s->features, "what is it?");
    CHECK(first.n > 0 && same(&first, &again));
    svlm_chat_free(chat);
}

/* With the first turn evaluated anew the second reads the same rows as with it cached. */
static void test_reprune_remembers(void **state)
{
    small *s = *state;
    svlm_chat_options o = chat_options();
    svlm_chat *cached = small_chat(s->model, &o);
    o.reprune = 1;
    svlm_chat *anew = small_chat(s->model, &o);
    for (int turn = 0; turn < 3; turn++) {
        svlm_features *picture = turn == 1 ? NULL : s->features;
        const reply a = ask(cached, picture, "and what is this?");
        const reply b = ask(anew, picture, "and what is this?");
        CHECK(same(&a, &b));
        svlm_chat_stats sa, sb;
        SVLM_INIT(&sa);
        SVLM_INIT(&sb);
        CHECK(!svlm_chat_get_stats(cached, &sa) && !svlm_chat_get_stats(anew, &sb));
        CHECK(turn == 0 ? sa.n_prompt == sb.n_prompt : sa.n_prompt < sb.n_prompt);
    }
    svlm_chat_free(cached);
    svlm_chat_free(anew);
}

static void test_raw_tokens_have_no_template(void **state)
{
    small *s = *state;
    const svlm_chat_options o = chat_options();
    svlm_chat *chat = small_chat(s->model, &o);
    const int32_t before[] = { 1, 300, 301 }, after[] = { 302, 303 };
    CHECK(!svlm_chat_add_tokens(chat, before, 3, &err));
    CHECK(!svlm_chat_add_features(chat, s->features, &err));
    CHECK(!svlm_chat_add_tokens(chat, after, 2, &err));
    CHECK(!svlm_chat_ask(chat, &err));
    svlm_chat_stats stats;
    SVLM_INIT(&stats);
    CHECK(!svlm_chat_get_stats(chat, &stats));
    CHECK(stats.n_prompt == 3 + 16 + 2 && stats.n_visual == 16 && stats.n_generated == 0);
    CHECK(svlm_chat_last_token(chat) == -1);
    int n_vocab = 0;
    const float *logits = svlm_chat_logits(chat, &n_vocab);
    CHECK(logits && n_vocab == 512);
    int best = 0;
    for (int i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    int32_t id;
    if (small_read(chat, &id, 1))
        CHECK(id == best || svlm_chat_last_token(chat) != best);
    svlm_chat_free(chat);
}

/* What is asked for between two tokens changes nothing. */
static void test_logits_on_demand(void **state)
{
    small *s = *state;
    const svlm_chat_options o = chat_options();
    svlm_chat *chat = small_chat(s->model, &o);
    const reply want = ask(chat, s->features, "what is it?");
    CHECK(!svlm_chat_reset(chat, &err));
    small_add(chat, s->features, "what is it?");
    CHECK(!svlm_chat_ask(chat, &err));
    reply got = { { 0 }, 0 };
    while (got.n < N) {
        CHECK(svlm_chat_logits(chat, NULL) && svlm_chat_logits(chat, NULL));
        if (!small_read(chat, &got.id[got.n], 1))
            break;
        got.n++;
    }
    CHECK(same(&want, &got));
    svlm_chat_free(chat);
}

/* ---- limits ----------------------------------------------------------------- */

static void test_too_much_for_the_context(void **state)
{
    small *s = *state;
    const svlm_chat_options o = chat_options();
    svlm_chat *chat = small_chat(s->model, &o);
    const reply want = ask(chat, s->features, "what is it?");
    CHECK(!svlm_chat_reset(chat, &err));
    for (int i = 0; i < 1000; i++)
        CHECK(!svlm_chat_add_features(chat, s->features, &err));
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CONTEXT);
    CHECK(strstr(err.message, "16000") && strstr(err.message, "512"));
    const reply got = ask(chat, s->features, "what is it?");
    CHECK(same(&want, &got));
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    small_add(chat, NULL, text);
    size_t n_allocations = sv_alloc_count();
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CONTEXT && strstr(err.message, "512"));
    CHECK(strstr(err.message, "100000 bytes") && sv_alloc_count() == n_allocations);
    text[1000] = 0;               /* this one is only too long once it is tokens */
    small_add(chat, NULL, text);
    free(text);
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CONTEXT && strstr(err.message, "512"));
    svlm_chat_free(chat);
}

static void test_a_context_that_fills_up(void **state)
{
    small *s = *state;
    svlm_chat_options o = chat_options();
    const int32_t ids[] = { 1, 300, 301, 302, 303 };
    int32_t got[N];
    o.n_ctx = 8;
    svlm_chat *chat = small_chat(s->model, &o);
    CHECK(!svlm_chat_add_tokens(chat, ids, 5, &err) && !svlm_chat_ask(chat, &err));
    int n = small_read(chat, got, N);
    CHECK(n <= 4);                /* three are read again, the last one is only shown */
    CHECK(small_read(chat, got, 1) == 0);
    CHECK(!svlm_chat_add_tokens(chat, ids, 5, &err));
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CONTEXT);
    CHECK(!svlm_chat_reset(chat, &err));
    CHECK(!svlm_chat_add_tokens(chat, ids, 5, &err) && !svlm_chat_ask(chat, &err));
    svlm_chat_free(chat);
    o.n_ctx = 1;
    chat = small_chat(s->model, &o);
    small_add(chat, s->features, "what?");
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CONTEXT);
    svlm_chat_free(chat);
}

static void expect_new(const small *s, const svlm_chat_options *o, int is_good)
{
    svlm_chat *chat = NULL;
    svlm_status st = svlm_chat_new(&chat, s->model, o, &err);
    CHECK(is_good ? !st && chat : st && !chat && err.message[0]);
    svlm_chat_free(chat);
}

#define TRY(field, value, is_good) \
    do { \
        svlm_chat_options o_ = chat_options(); \
        o_.field = value; \
        expect_new(s, &o_, is_good); \
    } while (0)

static void test_options_at_their_ends(void **state)
{
    small *s = *state;
    TRY(n_ctx, -1, 0);
    TRY(n_ctx, INT_MAX, 0);
    TRY(n_threads, -1, 0);
    TRY(n_threads, 10000, 1);
    TRY(max_tokens, -1, 0);
    TRY(temperature, NAN, 0);
    TRY(temperature, -1.0f, 0);
    TRY(temperature, FLT_MAX, 1);
    TRY(top_p, NAN, 0);
    TRY(top_p, 0, 1);
    TRY(min_p, -1.0f, 0);
    TRY(top_k, -1, 0);
    TRY(top_k, INT_MAX, 1);
    TRY(repeat_penalty, NAN, 0);
    TRY(seed, UINT64_MAX, 1);
    TRY(reuse_bytes, 1, 1);
    TRY(reuse_bytes, SIZE_MAX, 1);
    TRY(system, "", 1);
    TRY(template_name, "no such thing", 0);
    CHECK(strstr(err.message, "no such thing") && strstr(err.message, "vicuna_v1"));
}

static void test_the_same_seed(void **state)
{
    small *s = *state;
    svlm_chat_options o = chat_options();
    o.temperature = 1.5f;
    o.top_k = 100000;
    o.seed = 7;
    svlm_chat *a = small_chat(s->model, &o);
    svlm_chat *b = small_chat(s->model, &o);
    o.seed = 8;
    svlm_chat *c = small_chat(s->model, &o);
    const reply ra = ask(a, s->features, "say"), rb = ask(b, s->features, "say");
    const reply rc = ask(c, s->features, "say");
    CHECK(same(&ra, &rb) && !same(&ra, &rc));
    svlm_chat_free(a);
    svlm_chat_free(b);
    svlm_chat_free(c);
}

static void test_max_tokens_and_no_allocation(void **state)
{
    small *s = *state;
    svlm_chat_options o = chat_options();
    o.max_tokens = 5;
    svlm_chat *chat = small_chat(s->model, &o);
    small_add(chat, s->features, "what is it?");
    CHECK(!svlm_chat_ask(chat, &err));
    size_t before = sv_alloc_count();
    int32_t ids[N];
    svlm_chat_stats stats;
    SVLM_INIT(&stats);
    CHECK(small_read(chat, ids, N) <= 6);       /* and perhaps what was held back */
    CHECK(sv_alloc_count() == before);
    CHECK(!svlm_chat_get_stats(chat, &stats) && stats.n_generated <= 5);
    svlm_chat_free(chat);
}

static void test_cost_is_what_it_takes(void **state)
{
    small *s = *state;
    for (int reprune = 0; reprune < 2; reprune++)
        for (int n_ctx = 64; n_ctx <= 4096; n_ctx *= 8) {
            svlm_chat_options o = chat_options();
            uint64_t cost = 0;
            o.n_ctx = n_ctx;
            o.reprune = reprune;
            o.kv_f32 = reprune;
            CHECK(!svlm_chat_cost(s->model, &o, &cost, &err));
            size_t before = sv_alloc_alive();
            svlm_chat *chat = small_chat(s->model, &o);
            uint64_t taken = sv_alloc_alive() - before;
            CHECK(taken <= cost + 4096 && cost <= taken + 4096);    /* headers, rounding */
            svlm_chat_free(chat);
        }
}

/* ---- what goes wrong leaves no trace ---------------------------------------- */

typedef struct meddler {
    int fail_at;                  /* call of progress that cancels, counted down */
    int n_calls, n_destroyed;
    int bad;                      /* which kind of bad list edit gives, 0: none  */
    svlm_chat *chat;
    svlm_status from_inside;
    int32_t keep[600];
} meddler;

static int count_down(void *user, svlm_stage stage, int done, int total)
{
    meddler *m = user;
    CHECK(stage >= SVLM_STAGE_LOAD && stage <= SVLM_STAGE_PREFILL && done >= 0 && done <= total);
    m->n_calls++;
    return m->fail_at && --m->fail_at == 0;
}

static void test_cancel_everywhere(void **state)
{
    small *s = *state;
    meddler m = { 0 };
    svlm_chat_options o = chat_options();
    o.progress = count_down;
    o.user = &m;
    svlm_chat *chat = small_chat(s->model, &o);
    const reply one = ask(chat, s->features, "one"), two = ask(chat, s->features, "two");
    int n_calls = m.n_calls / 2;
    CHECK(n_calls >= 4);          /* once a layer at least */
    for (int i = 1; i <= n_calls; i++) {
        CHECK(!svlm_chat_reset(chat, &err));
        const reply again = ask(chat, s->features, "one");
        CHECK(same(&one, &again));
        small_add(chat, s->features, "this is broken off");
        m.fail_at = i;
        CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_CANCELLED);
        m.fail_at = 0;
        const reply next = ask(chat, s->features, "two");
        CHECK(same(&two, &next));
    }
    svlm_chat_free(chat);
}

static void test_cancel_loading_and_encoding(void **state)
{
    small *s = *state;
    meddler m = { 0 };
    svlm_model_options mo;
    svlm_features_options fo;
    svlm_model *model;
    svlm_features *features;
    size_t before = sv_alloc_alive();
    SVLM_INIT(&mo);
    mo.model_path = s->files.llm;
    mo.mmproj_path = s->files.mmproj;
    mo.n_threads = 1;             /* all of this file is for the thread sanitizer as well */
    mo.progress = count_down;
    mo.user = &m;
    for (int i = 1; m.fail_at = i, svlm_model_open(&model, &mo, &err) == SVLM_ERR_CANCELLED; i++)
        CHECK(!model && sv_alloc_alive() == before);
    CHECK(model && m.n_calls > 2);
    m.n_calls = 0;
    SVLM_INIT(&fo);
    fo.progress = count_down;
    fo.user = &m;
    before = sv_alloc_alive();
    for (int i = 1; m.fail_at = i,
         svlm_features_encode(&features, model, s->image, &fo, &err) == SVLM_ERR_CANCELLED; i++)
        CHECK(!features && sv_alloc_alive() == before);
    CHECK(features && m.n_calls > 1);
    svlm_features_close(features);
    svlm_model_close(model);
}

static int call_back_in(void *user, svlm_stage stage, int done, int total)
{
    meddler *m = user;
    const char *piece;
    size_t n;
    (void)stage, (void)done, (void)total;
    CHECK(svlm_chat_next(m->chat, &piece, &n, &err) == SVLM_ERR_BUSY);
    CHECK(svlm_chat_add_text(m->chat, "more", &err) == SVLM_ERR_BUSY);
    CHECK(svlm_chat_reset(m->chat, &err) == SVLM_ERR_BUSY);
    CHECK(!svlm_chat_logits(m->chat, NULL));
    m->from_inside = svlm_chat_ask(m->chat, &err);
    return 0;
}

static void test_busy(void **state)
{
    small *s = *state;
    meddler m = { 0 };
    svlm_chat_options o = chat_options();
    o.progress = call_back_in;
    o.user = &m;
    svlm_chat *chat = m.chat = small_chat(s->model, &o);
    ask(chat, s->features, "what?");
    CHECK(m.from_inside == SVLM_ERR_BUSY);
    svlm_chat_free(chat);
}

/* ---- hooks ------------------------------------------------------------------ */

static svlm_status plan_edit(void *user, const svlm_view *view, svlm_plan *plan)
{
    (void)user;
    plan->edit = view->layer == 1;
    return SVLM_OK;
}

/* Keeps text only, and then spoils the list as m->bad says. */
static svlm_status bad_edit(void *user, const svlm_view *view, svlm_edit *edit)
{
    meddler *m = user;
    int n = 0;
    for (int i = 0; i < view->n_rows; i++)
        if (view->kind[i] == SVLM_ROW_TEXT)
            m->keep[n++] = i;
    if (m->bad == 1)
        m->keep[1] = m->keep[0];                /* twice         */
    else if (m->bad == 2)
        m->keep[n - 1] = view->n_rows;          /* beyond        */
    else if (m->bad == 3)
        m->keep[0] = -1;
    else if (m->bad == 4)
        n--;                                    /* text dropped  */
    else if (m->bad == 5)
        return SVLM_ERR_NUMERIC;
    edit->keep = m->keep;
    edit->n_keep = n;
    return SVLM_OK;
}

static void count_destroyed(void *user)
{
    meddler *m = user;
    m->n_destroyed++;
}

static void test_hooks_that_misbehave(void **state)
{
    small *s = *state;
    meddler m = { 0 };
    svlm_hook hook;
    svlm_chat_options o = chat_options();
    SVLM_INIT(&hook);
    hook.user = &m;
    hook.plan = plan_edit;
    hook.edit = bad_edit;
    hook.destroy = count_destroyed;
    o.hook = &hook;
    svlm_chat *chat = small_chat(s->model, &o);
    const reply want = ask(chat, s->features, "what?");
    svlm_chat_stats stats;
    SVLM_INIT(&stats);
    CHECK(!svlm_chat_get_stats(chat, &stats));
    CHECK(stats.visual_in[1] == 16 && stats.visual_in[2] == 0);     /* all of them may go */
    for (m.bad = 1; m.bad <= 5; m.bad++) {
        CHECK(!svlm_chat_reset(chat, &err));
        small_add(chat, s->features, "what?");
        CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_HOOK && err.message[0]);
    }
    m.bad = 0;
    const reply got = ask(chat, s->features, "what?");
    CHECK(same(&want, &got));
    CHECK(m.n_destroyed == 0);
    svlm_chat_free(chat);
    CHECK(m.n_destroyed == 1);
    o.template_name = "no such thing";          /* a chat that fails leaves the hook alone */
    expect_new(s, &o, 0);
    hook.size = 3;
    o.template_name = NULL;
    expect_new(s, &o, 0);
    CHECK(m.n_destroyed == 1);
}

static void test_class_attention_is_asked_for(void **state)
{
    small *s = *state;
    svlm_hook hook;
    svlm_chat_options o = chat_options();
    svlm_features_options fo;
    svlm_features *features;
    SVLM_INIT(&hook);
    hook.needs_class_attention = 1;
    o.hook = &hook;
    svlm_chat *chat = small_chat(s->model, &o);
    CHECK(svlm_chat_add_features(chat, s->features, &err) == SVLM_ERR_ARG);
    CHECK(strstr(err.message, "class_attention"));
    SVLM_INIT(&fo);
    fo.class_attention = 1;
    CHECK(!svlm_features_encode(&features, s->model, s->image, &fo, &err));
    CHECK(!svlm_chat_add_features(chat, features, &err));
    svlm_features_close(features);
    svlm_chat_free(chat);
}

/* ---- threads ---------------------------------------------------------------- */

typedef struct worker { const small *s; reply reply; } worker;

static void *work(void *arg)
{
    worker *w = arg;
    const svlm_chat_options o = chat_options();
    for (int i = 0; i < 4; i++) {
        svlm_chat *chat = small_chat(w->s->model, &o);
        w->reply = ask(chat, w->s->features, "what is it?");
        svlm_chat_free(chat);
    }
    return NULL;
}

static void test_two_chats_on_one_model(void **state)
{
    small *s = *state;
    const svlm_chat_options o = chat_options();
    svlm_chat *chat = small_chat(s->model, &o);
    const reply want = ask(chat, s->features, "what is it?");
    worker w[2] = { { .s = s }, { .s = s } };
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&thread[i], NULL, work, &w[i]));
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_join(thread[i], NULL));
    CHECK(same(&want, &w[0].reply) && same(&want, &w[1].reply));
    svlm_chat_free(chat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_again),
        cmocka_unit_test(test_reprune_remembers),
        cmocka_unit_test(test_raw_tokens_have_no_template),
        cmocka_unit_test(test_logits_on_demand),
        cmocka_unit_test(test_too_much_for_the_context),
        cmocka_unit_test(test_a_context_that_fills_up),
        cmocka_unit_test(test_options_at_their_ends),
        cmocka_unit_test(test_the_same_seed),
        cmocka_unit_test(test_max_tokens_and_no_allocation),
        cmocka_unit_test(test_cost_is_what_it_takes),
        cmocka_unit_test(test_cancel_everywhere),
        cmocka_unit_test(test_cancel_loading_and_encoding),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_hooks_that_misbehave),
        cmocka_unit_test(test_class_attention_is_asked_for),
        cmocka_unit_test(test_two_chats_on_one_model),
    };
    return cmocka_run_group_tests(tests, small_setup, small_teardown);
}
