/* SPDX-License-Identifier: MIT */
/* SentencePiece merging on vocabularies small enough to work out by hand, and
 * against the rule written down literally on random ones. */
#include "vocab_file.h"
#include "faults.h"

#include "base/rng.h"
#include "base/utf8.h"

#define SP "\xe2\x96\x81"

/* Ids are places in this list; bytes follow. */
enum { UNK, BOS, EOS, SPACE, A, B, C, AB, BC, ABC, AA, AAAA, SPACE_A, TWO_SPACES, USER_WORD,
       USER_MARK, LONGER, FILLER, XY_LOW, YX_NAN, X, Y, CONTROL, ZERO, MINUS_ZERO,
       P, Q, HALF_MARK, MARK, BYTES };

static const vocab_token tokens[BYTES] = {
    [UNK] = { "<unk>", 0, SV_TOKEN_UNKNOWN },
    [BOS] = { "<s>", 0, SV_TOKEN_CONTROL },
    [EOS] = { "</s>", 0, SV_TOKEN_CONTROL },
    [SPACE] = { SP, -20, SV_TOKEN_NORMAL },
    [A] = { "a", -20, SV_TOKEN_NORMAL },
    [B] = { "b", -20, SV_TOKEN_NORMAL },
    [C] = { "c", -20, SV_TOKEN_NORMAL },
    [AB] = { "ab", -5, SV_TOKEN_NORMAL },
    [BC] = { "bc", -4, SV_TOKEN_NORMAL },
    [ABC] = { "abc", -7, SV_TOKEN_NORMAL },
    [AA] = { "aa", -6, SV_TOKEN_NORMAL },
    [AAAA] = { "aaaa", -3, SV_TOKEN_NORMAL },
    [SPACE_A] = { SP "a", -9, SV_TOKEN_NORMAL },
    [TWO_SPACES] = { SP SP, -1e9f, SV_TOKEN_NORMAL },
    [USER_WORD] = { "hi there", 0, SV_TOKEN_USER },
    [USER_MARK] = { "<turn>", 0, SV_TOKEN_USER },
    [LONGER] = { "<turn>2", 0, SV_TOKEN_CONTROL },
    [FILLER] = { "cc", 0, SV_TOKEN_UNUSED },
    [XY_LOW] = { "xy", -1e30f, SV_TOKEN_NORMAL },
    [YX_NAN] = { "yx", 0, SV_TOKEN_NORMAL },     /* its score becomes NaN below */
    [X] = { "x", 0, SV_TOKEN_NORMAL },
    [Y] = { "y", 0, SV_TOKEN_NORMAL },
    [CONTROL] = { "ca", 0, SV_TOKEN_CONTROL },
    [ZERO] = { "pq", 0.0f, SV_TOKEN_NORMAL },
    [MINUS_ZERO] = { "qp", -0.0f, SV_TOKEN_NORMAL },
    [P] = { "p", -20, SV_TOKEN_NORMAL },
    [Q] = { "q", -20, SV_TOKEN_NORMAL },
    [HALF_MARK] = { "[a", 0, SV_TOKEN_NORMAL },
    [MARK] = { "[a]", 0, SV_TOKEN_USER },
};

static vocab_file file;

static int make_vocab(void **state)
{
    (void)state;
    static vocab_token t[BYTES];
    memcpy(t, tokens, sizeof t);
    t[YX_NAN].score = strtof("nan", NULL);
    vocab_recipe r = { .model = "llama", .tokens = t, .n = BYTES, .bytes = 1 };
    return vocab_make(&file, &r, NULL);
}

static int free_vocab(void **state)
{
    (void)state;
    vocab_close(&file);
    return 0;
}

#define IDS(...) (const int32_t[]){ __VA_ARGS__, -1 }
#define BYTE(b) (BYTES + (b))

static void test_merges(void **state)
{
    (void)state;
    vocab_check(file.v, "", 0, IDS(-1));
    vocab_check(file.v, "bab", 0, IDS(SPACE, B, AB));
    vocab_check(file.v, "abc", 0, IDS(SPACE, ABC));          /* bc first, then abc */
    vocab_check(file.v, "aa", 0, IDS(SPACE, AA));
    vocab_check(file.v, "aaa", 0, IDS(SPACE, AA, A));        /* of equals the leftmost */
    vocab_check(file.v, "aaaaaaa", 0, IDS(SPACE, AAAA, AA, A));
    vocab_check(file.v, "a", 0, IDS(SPACE_A));
    vocab_check(file.v, " a", 0, IDS(SPACE, SPACE_A));
    vocab_check(file.v, "  ", 0, IDS(TWO_SPACES, SPACE));
    vocab_check(file.v, "xyx", 0, IDS(SPACE, XY_LOW, X));    /* NaN is lower than low */
    vocab_check(file.v, "yx", 0, IDS(SPACE, YX_NAN));
    vocab_check(file.v, "qpq", 0, IDS(SPACE, MINUS_ZERO, Q));
    vocab_check(file.v, "pqp", 0, IDS(SPACE, ZERO, P));
}

static void test_kinds_that_text_never_becomes(void **state)
{
    (void)state;
    vocab_check(file.v, "cc", 0, IDS(SPACE, C, C));
    vocab_check(file.v, "ca", 0, IDS(SPACE, C, A));
    vocab_check(file.v, "<0x41>", 0, IDS(SPACE, BYTE('<'), BYTE('0'), X, BYTE('4'), BYTE('1'),
                                         BYTE('>')));
    vocab_check(file.v, "[a]", 0, IDS(SPACE, HALF_MARK, BYTE(']')));
    vocab_check(file.v, "<s>", 0, IDS(SPACE, BYTE('<'), BYTE('s'), BYTE('>')));
}

static void test_special_tokens(void **state)
{
    (void)state;
    vocab_check(file.v, "a</s>a", 0, IDS(SPACE_A, BYTE('<'), BYTE('/'), BYTE('s'), BYTE('>'), A));
    vocab_check(file.v, "a</s>a", 1, IDS(SPACE_A, EOS, SPACE_A));
    vocab_check(file.v, "</s><s>", 1, IDS(EOS, BOS));
    vocab_check(file.v, "<turn>2<turn>", 1, IDS(LONGER, USER_MARK));     /* the longest */
    /* Whole words that the file defines are read, marks are not. */
    vocab_check(file.v, "ahi therea", 0, IDS(SPACE_A, USER_WORD, SPACE_A));
    vocab_check(file.v, "<turn>", 0, IDS(SPACE, BYTE('<'), BYTE('t'), BYTE('u'), BYTE('r'),
                                         BYTE('n'), BYTE('>')));
}

static void test_bytes(void **state)
{
    (void)state;
    /* Euro sign, overlong, surrogate, lone continuation, cut off, never valid. */
    static const char *const texts[] = {
        "\xe2\x82\xac", "\xc0\x80", "\xed\xa0\x80", "\x80\x80", "\xf0\x9f\x98", "\xff\xfe", "\xe2",
        "\xf8\x88\x80\x80\x80", "\303a",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sv_ids ids = { 0 };
        size_t n = strlen(texts[i]);
        CHECK(sv_tokenize(file.v, texts[i], n, 0, &ids, NULL) == SVLM_OK);
        CHECK(ids.n == n + 1 && ids.id[0] == SPACE);
        for (size_t k = 0; k < n; k++)
            CHECK(ids.id[k + 1] == BYTE((uint8_t)texts[i][k]));
        sv_ids_free(&ids);
    }
    sv_ids ids = { 0 };
    CHECK(sv_tokenize(file.v, "a\0a", 3, 0, &ids, NULL) == SVLM_OK);
    CHECK(ids.n == 3 && ids.id[1] == BYTE(0) && ids.id[2] == A);
    sv_ids_free(&ids);
}

static void test_missing_bytes_are_unknown(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = { .model = "llama", .tokens = tokens, .n = BYTES };
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(strstr(f.warning, "256 of 256 bytes"));
    vocab_check(f.v, "a?\xc3\xa9", 0, IDS(SPACE_A, UNK, UNK, UNK));
    vocab_close(&f);
}

static void no_prefix(sv_gguf_writer *w)
{
    sv_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", 0);
}

static void test_no_space_prefix(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = { .model = "llama", .tokens = tokens, .n = BYTES, .more = no_prefix };
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    vocab_check(f.v, "a", 0, IDS(A));
    vocab_check(f.v, " a", 0, IDS(SPACE_A));
    vocab_close(&f);
}

/* A quadratic tokenizer would need hours for these. */
static void test_long_texts(void **state)
{
    (void)state;
    enum { LONG = 2 << 20 };
    static const struct { char letter; size_t n; } cases[] = {
        { 'a', LONG / 4 + 1 }, { ' ', LONG / 2 + 1 }, { '\n', LONG + 1 }, { '<', LONG + 1 },
    };
    char *text = malloc(LONG);
    CHECK(text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sv_ids ids = { 0 };
        memset(text, cases[i].letter, LONG);
        CHECK(sv_tokenize(file.v, text, LONG, 0, &ids, NULL) == SVLM_OK);
        assert_int_equal(ids.n, cases[i].n);
        sv_ids_free(&ids);
    }
    sv_ids ids = { 0 };
    svlm_error err;
    CHECK(sv_tokenize(file.v, text, (size_t)1 << 40, 0, &ids, &err) == SVLM_ERR_LIMIT);
    free(text);
}

/* ---- against the rule, word for word --------------------------------------- */

/* Joins the best adjacent pair until none is left; parts are texts. */
static size_t merge_literally(const vocab_token *t, size_t n_t, char part[][40], size_t n)
{
    for (;;) {
        size_t best = n;
        float best_score = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            char both[80];
            strcat(strcpy(both, part[i]), part[i + 1]);
            for (size_t k = 0; k < n_t; k++)
                if (!strcmp(both, t[k].text) && (best == n || t[k].score > best_score)) {
                    best = i;
                    best_score = t[k].score;
                }
        }
        if (best == n)
            return n;
        size_t len = strlen(part[best]);
        memcpy(part[best] + len, part[best + 1], strlen(part[best + 1]) + 1);
        for (size_t i = best + 1; i + 1 < n; i++)
            memcpy(part[i], part[i + 1], sizeof part[i]);
        n--;
    }
}

static void check_text(const sv_vocab *v, const vocab_token *t, size_t n_t, const char *text)
{
    char part[40][40] = { SP };
    size_t n = 1;
    for (const char *p = text; *p; p++)
        snprintf(part[n++], sizeof *part, "%c", *p);
    n = merge_literally(t, n_t, part, n);
    sv_ids ids = { 0 };
    CHECK(sv_tokenize(v, text, strlen(text), 0, &ids, NULL) == SVLM_OK);
    CHECK(ids.n == n);
    for (size_t i = 0; i < n; i++) {
        sv_span s = sv_vocab_text(v, ids.id[i]);
        if (s.n != strlen(part[i]) || memcmp(s.p, part[i], s.n))
            fail_msg("\"%s\": part %zu is \"%.*s\", not \"%s\"", text, i, (int)s.n, s.p, part[i]);
    }
    sv_ids_free(&ids);
}

static void test_random_vocabularies(void **state)
{
    (void)state;
    enum { N = 60, LETTERS = 3 };
    static char text[N][8];
    sv_rng rng = { check_seed() };
    for (int round = 0; round < 20; round++) {
        vocab_token t[N] = { tokens[UNK], tokens[BOS], tokens[EOS], tokens[SPACE], tokens[A],
                             tokens[B], tokens[C] };
        for (size_t i = 7; i < N; i++) {
            size_t len = 2 + sv_rng_below(&rng, 5);
            memset(text[i], 0, 8);
            for (size_t k = 0; k < len; k++)
                text[i][k] = (char)('a' + sv_rng_below(&rng, LETTERS));
            t[i] = (vocab_token){ text[i], -(float)sv_rng_below(&rng, 6), SV_TOKEN_NORMAL };
            for (size_t k = 0; k < i; k++)       /* one score for one text */
                if (!strcmp(t[k].text, text[i]))
                    t[i].score = t[k].score;
        }
        vocab_file f;
        vocab_recipe r = { .model = "llama", .tokens = t, .n = N };
        CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
        for (int k = 0; k < 50; k++) {
            char word[32] = { 0 };
            for (uint32_t i = 1 + sv_rng_below(&rng, 30); i-- > 0;)
                word[i] = (char)('a' + sv_rng_below(&rng, LETTERS));
            check_text(f.v, t, N, word);
        }
        vocab_close(&f);
    }
}

/* ---- running out of memory -------------------------------------------------- */

static void test_every_allocation_failing(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof text);
    for (int n = 0;; n++) {
        sv_ids ids = { 0 };
        CHECK(sv_ids_add(&ids, 7, NULL) == SVLM_OK);
        size_t alive = sv_alloc_alive();
        fault_from(n);
        svlm_status st = sv_tokenize(file.v, text, sizeof text, 0, &ids, NULL);
        fault_end();
        CHECK(st == SVLM_OK || (st == SVLM_ERR_NOMEM && ids.n == 1));
        CHECK(st == SVLM_OK || sv_alloc_alive() == alive || ids.cap > 64);
        sv_ids_free(&ids);
        CHECK(n < 1000);
        if (st == SVLM_OK) {
            CHECK(n > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges), cmocka_unit_test(test_kinds_that_text_never_becomes),
        cmocka_unit_test(test_special_tokens), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_missing_bytes_are_unknown), cmocka_unit_test(test_no_space_prefix),
        cmocka_unit_test(test_long_texts), cmocka_unit_test(test_random_vocabularies),
        cmocka_unit_test(test_every_allocation_failing),
    };
    printf("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, make_vocab, free_vocab);
}
