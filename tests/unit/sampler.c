/* SPDX-License-Identifier: MIT */
/* Choosing tokens: which ones each filter leaves, and how often each is drawn,
 * against probabilities worked out by hand. */
#include "vocab_file.h"
#include "faults.h"

#include <math.h>

#include "llm/llm.h"

enum { N = 6, N_DRAWS = 20000 };

static vocab_file file;

/* Token 5 is filler that no answer may hold. */
static int make_vocab(void **state)
{
    (void)state;
    static const vocab_token tokens[N] = {
        { "a", 0, SV_TOKEN_NORMAL }, { "b", 0, SV_TOKEN_NORMAL }, { "c", 0, SV_TOKEN_NORMAL },
        { "d", 0, SV_TOKEN_NORMAL }, { "e", 0, SV_TOKEN_NORMAL }, { "[PAD5]", 0, SV_TOKEN_UNUSED },
    };
    vocab_recipe r = { .model = "llama", .tokens = tokens, .n = N };
    return vocab_make(&file, &r, NULL);
}

static int free_vocab(void **state)
{
    (void)state;
    vocab_close(&file);
    return 0;
}

static sv_sampler *make(sv_sampler_options o)
{
    sv_sampler *s;
    o.seed += check_seed();
    CHECK(sv_sampler_new(&s, &o, file.v, NULL) == SVLM_OK);
    return s;
}

/* Probabilities 0.1 0.4 0.05 0.3 0.15 for tokens 0 to 4, in no order. */
static const double prob[N] = { 0.1, 0.4, 0.05, 0.3, 0.15, 0 };

static void set_logits(float *logits)
{
    for (int i = 0; i < N; i++)
        logits[i] = (float)log(prob[i]) + 3;     /* any offset means the same */
    logits[5] = 100;
}

/* Draws many times. want need not sum to 1. Six standard deviations: one false
 * alarm in a hundred million seeds. */
static void check_draws(sv_sampler_options o, const double want[N])
{
    float logits[N];
    int count[N] = { 0 };
    double sum = 0;
    sv_sampler *s = make(o);
    set_logits(logits);
    for (int i = 0; i < N_DRAWS; i++) {
        int32_t id = sv_sampler_pick(s, logits);
        CHECK(id >= 0 && id < N);
        count[id]++;
    }
    for (int i = 0; i < N; i++)
        sum += want[i];
    for (int i = 0; i < N; i++) {
        double p = want[i] / sum, slack = 6 * sqrt(N_DRAWS * p * (1 - p));
        if (fabs(count[i] - N_DRAWS * p) > slack)
            fail_msg("token %d was drawn %d times, not %g", i, count[i], N_DRAWS * p);
    }
    sv_sampler_free(s);
}

static void test_temperature(void **state)
{
    (void)state;
    double want[N] = { 0 };
    check_draws((sv_sampler_options){ .temperature = 1 }, prob);
    for (int i = 0; i < N; i++)
        want[i] = prob[i] * prob[i];
    check_draws((sv_sampler_options){ .temperature = 0.5f }, want);
    for (int i = 0; i < N; i++)
        want[i] = sqrt(prob[i]);
    check_draws((sv_sampler_options){ .temperature = 2 }, want);
    check_draws((sv_sampler_options){ .temperature = 1e-30f }, (double[N]){ 0, 1 });
    check_draws((sv_sampler_options){ .temperature = INFINITY }, (double[N]){ 1, 1, 1, 1, 1 });
}

static void test_filters(void **state)
{
    (void)state;
    static const double best[N] = { 0, 1 }, two[N] = { 0, .4, 0, .3 },
                        three[N] = { 0, .4, 0, .3, .15 };
    check_draws((sv_sampler_options){ .temperature = 1, .top_k = 1 }, best);
    check_draws((sv_sampler_options){ .temperature = 1, .top_k = 2 }, two);
    check_draws((sv_sampler_options){ .temperature = 1, .top_k = 5 }, prob);
    check_draws((sv_sampler_options){ .temperature = 1, .top_k = 1 << 30 }, prob);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 1e-30f }, best);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 0.65f }, two);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 0.75f }, three);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 1 }, prob);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 5 }, prob);
    check_draws((sv_sampler_options){ .temperature = 1, .min_p = 0.3f }, three);
    check_draws((sv_sampler_options){ .temperature = 1, .min_p = 7 }, best);
    /* top-p counts in what top-k left: 0.8 of 0.85 is reached by two. */
    check_draws((sv_sampler_options){ .temperature = 1, .top_k = 3, .top_p = 0.8f }, two);
    check_draws((sv_sampler_options){ .temperature = 1, .top_p = 0.8f }, three);
    /* The temperature comes last: it does not change what passes. */
    check_draws((sv_sampler_options){ .temperature = INFINITY, .top_p = 0.75f },
                (double[N]){ 0, 1, 0, 1, 1 });
}

static void test_equal_logits(void **state)
{
    (void)state;
    float logits[N] = { 0 };
    sv_sampler *s = make((sv_sampler_options){ .temperature = 1, .top_k = 2 });
    for (int i = 0; i < 200; i++)
        CHECK(sv_sampler_pick(s, logits) < 2);   /* of equals the lowest ids */
    sv_sampler_free(s);
    s = make((sv_sampler_options){ 0 });
    CHECK(sv_sampler_pick(s, logits) == 0);
    logits[3] = logits[4] = 1;
    CHECK(sv_sampler_pick(s, logits) == 3);
    sv_sampler_free(s);
}

static void test_no_numbers(void **state)
{
    (void)state;
    static const sv_sampler_options all[] = {
        { 0 }, { .temperature = 1 }, { .temperature = 1, .top_k = 3, .top_p = .9f, .min_p = .1f },
        { .repeat_penalty = 1.3f },
    };
    for (int i = 0; i < 4; i++) {
        sv_sampler *s = make(all[i]);
        float logits[N] = { NAN, -INFINITY, INFINITY, -3e38f, NAN, 5 };
        CHECK(sv_sampler_pick(s, logits) == 3);
        logits[3] = NAN;
        CHECK(sv_sampler_pick(s, logits) == -1);
        logits[0] = 3e38f;                       /* differences beyond float */
        logits[1] = -3e38f;
        CHECK(sv_sampler_pick(s, logits) == 0);
        sv_sampler_free(s);
    }
}

static void test_repeat_penalty(void **state)
{
    (void)state;
    sv_sampler *s = make((sv_sampler_options){ .repeat_penalty = 1.5f });
    float logits[N] = { 2, 1.9f, -1, -1.2f, -9 };
    CHECK(sv_sampler_pick(s, logits) == 0);
    sv_sampler_accept(s, 0);                     /* 2 becomes 1.33 */
    CHECK(sv_sampler_pick(s, logits) == 1);
    logits[0] = logits[1] = -7;
    sv_sampler_accept(s, 2);                     /* -1 becomes -1.5 */
    CHECK(sv_sampler_pick(s, logits) == 3);
    for (int i = 0; i < 62; i++)
        sv_sampler_accept(s, 4);
    CHECK(sv_sampler_pick(s, logits) == 3);      /* the 2 is the 63rd back */
    sv_sampler_accept(s, 4);
    CHECK(sv_sampler_pick(s, logits) == 3);      /* the 64th */
    sv_sampler_accept(s, 4);
    CHECK(sv_sampler_pick(s, logits) == 2);      /* forgotten */
    sv_sampler_accept(s, 2);
    CHECK(sv_sampler_pick(s, logits) == 3);
    sv_sampler_reset(s);
    CHECK(sv_sampler_pick(s, logits) == 2);
    sv_sampler_accept(s, -1);
    sv_sampler_accept(s, N);
    sv_sampler_free(s);
}

static void test_seed(void **state)
{
    (void)state;
    float logits[N];
    int32_t first[100];
    set_logits(logits);
    for (uint64_t seed = 0; seed < 3; seed++) {
        sv_sampler_options o = { .temperature = 1, .seed = seed == 2 ? UINT64_MAX : seed };
        sv_sampler *s, *other;
        int n_differ = 0;
        CHECK(!sv_sampler_new(&s, &o, file.v, NULL));
        o.seed ^= 1;
        CHECK(!sv_sampler_new(&other, &o, file.v, NULL));
        size_t n_allocations = sv_alloc_count();
        for (int i = 0; i < 100; i++) {
            first[i] = sv_sampler_pick(s, logits);
            n_differ += first[i] != sv_sampler_pick(other, logits);
        }
        CHECK(n_differ > 10 && sv_alloc_count() == n_allocations);
        sv_sampler_reset(s);
        for (int i = 0; i < 100; i++)
            CHECK(sv_sampler_pick(s, logits) == first[i]);
        sv_sampler_free(s);
        sv_sampler_free(other);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const sv_sampler_options bad[] = {
        { .temperature = -1 }, { .temperature = NAN }, { .top_p = NAN }, { .top_p = -0.1f },
        { .min_p = NAN }, { .min_p = -1 }, { .repeat_penalty = NAN }, { .repeat_penalty = -1 },
        { .repeat_penalty = INFINITY }, { .top_k = -1 },
    };
    static const char *const named[] = {
        "temperature", "temperature", "top_p", "top_p", "min_p", "min_p", "repeat_penalty",
        "repeat_penalty", "repeat_penalty", "top_k",
    };
    sv_sampler *s;
    svlm_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(sv_sampler_new(&s, &bad[i], file.v, &err) == SVLM_ERR_ARG && !s);
        CHECK(strstr(err.message, named[i]));
    }
    fault_from(0);
    CHECK(sv_sampler_new(&s, &(sv_sampler_options){ 0 }, file.v, &err) == SVLM_ERR_NOMEM && !s);
    fault_end();
    sv_sampler_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_temperature), cmocka_unit_test(test_filters),
        cmocka_unit_test(test_equal_logits), cmocka_unit_test(test_no_numbers),
        cmocka_unit_test(test_repeat_penalty), cmocka_unit_test(test_seed),
        cmocka_unit_test(test_refusals),
    };
    printf("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, make_vocab, free_vocab);
}
