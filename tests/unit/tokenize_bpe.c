/* SPDX-License-Identifier: MIT */
/* Byte-level BPE on small hand-made vocabularies. */
#include "vocab_file.h"

#include "base/rng.h"

/* Ids are places in this list; the 256 byte characters follow. */
enum { END, A_A, A_B, AA_AA, SP_A, WHOLE, E_ACUTE, HIDDEN, MARK, CUSTOM, BYTES };

#define SP "\xc4\xa0"                            /* U+0120: a space */

static const vocab_token tokens[BYTES] = {
    [END] = { "<|im_end|>", 0, SV_TOKEN_NORMAL }, [A_A] = { "aa", 0, SV_TOKEN_NORMAL },
    [A_B] = { "ab", 0, SV_TOKEN_NORMAL }, [AA_AA] = { "aaaa", 0, SV_TOKEN_NORMAL },
    [SP_A] = { SP "a", 0, SV_TOKEN_NORMAL }, [WHOLE] = { "xyz", 0, SV_TOKEN_NORMAL },
    [E_ACUTE] = { "\xc3\x83\xc2\xa9", 0, SV_TOKEN_NORMAL },  /* bytes C3 A9 */
    [HIDDEN] = { "ba", 0, SV_TOKEN_CONTROL }, [MARK] = { "<tool>", 0, SV_TOKEN_USER },
    [CUSTOM] = { "a  a", 0, SV_TOKEN_USER },
};

static const char *const merges[] = {
    "a b", "a a", "aa aa", SP " a", "\xc3\x83 \xc2\xa9", "b a", "a a",
};

enum { N_MERGES = sizeof merges / sizeof *merges };

#define BYTE(b) (BYTES + (b))
#define IDS(...) (const int32_t[]){ __VA_ARGS__, -1 }

static vocab_recipe recipe(const char *pre)
{
    return (vocab_recipe){ .model = "gpt2", .pre = pre, .tokens = tokens, .n = BYTES, .bytes = 1,
                           .merges = merges, .n_merges = N_MERGES };
}

static void test_merges(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = recipe("gpt-2");
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(strstr(f.warning, "1 merges"));        /* "b a" gives a control token */
    vocab_check(f.v, "", 0, IDS(-1));
    vocab_check(f.v, "aab", 0, IDS(BYTE('a'), A_B));         /* the lower rank first */
    vocab_check(f.v, "aaa", 0, IDS(A_A, BYTE('a')));
    vocab_check(f.v, "aaaaaa", 0, IDS(AA_AA, A_A));
    vocab_check(f.v, "ba", 0, IDS(BYTE('b'), BYTE('a')));
    vocab_check(f.v, "b a", 0, IDS(BYTE('b'), SP_A));        /* no merge over a piece's end */
    vocab_check(f.v, "\xc3\xa9", 0, IDS(E_ACUTE));
    vocab_check(f.v, "\xff\x80", 0, IDS(BYTE(0xff), BYTE(0x80)));
    vocab_check(f.v, "xyz", 0, IDS(BYTE('x'), BYTE('y'), BYTE('z')));
    vocab_close(&f);
}

static void test_whole_pieces(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = recipe("llama-bpe");
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    vocab_check(f.v, "xyz", 0, IDS(WHOLE));
    vocab_check(f.v, "ba", 0, IDS(BYTE('b'), BYTE('a')));    /* not a control token */
    vocab_check(f.v, "xyzx", 0, IDS(BYTE('x'), BYTE('y'), BYTE('z'), BYTE('x')));
    CHECK(!sv_vocab_add_bos(f.v));               /* it would, but the file names no bos */
    vocab_close(&f);
}

static void test_special_tokens(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = recipe("qwen2");
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(sv_vocab_is_end(f.v, END));            /* by its text, though called normal */
    vocab_check(f.v, "a<|im_end|>a", 1, IDS(BYTE('a'), END, BYTE('a')));
    vocab_check(f.v, "<tool>", 1, IDS(MARK));
    vocab_check(f.v, "ba  ab", 0, IDS(BYTE('b'), CUSTOM, BYTE('b')));
    sv_ids ids = { 0 };
    CHECK(sv_tokenize(f.v, "<|im_end|><tool>", 16, 0, &ids, NULL) == SVLM_OK && ids.n == 16);
    sv_ids_free(&ids);
    vocab_close(&f);
}

static void test_malformed_merges(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "a", "aa", " ", "  ", "a ", " a", "a  b", "no such" };
    vocab_file f;
    vocab_recipe r = recipe("gpt-2");
    r.merges = bad;
    r.n_merges = sizeof bad / sizeof *bad;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(strstr(f.warning, "9 merges"));
    vocab_check(f.v, "ab", 0, IDS(BYTE('a'), BYTE('b')));
    vocab_close(&f);
    r.merges = NULL;
    svlm_error err;
    CHECK(vocab_make(&f, &r, &err) == SVLM_ERR_FORMAT && strstr(err.message, "merges"));
    vocab_close(&f);
}

/* One piece of a million letters: quadratic merging would take hours. */
static void test_long_texts(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    static const struct { char letter; size_t n; } cases[] = {
        { 'a', LONG / 4 }, { ' ', LONG }, { '\n', LONG }, { '1', LONG }, { '\'', LONG },
    };
    static const char *const pres[] = { "gpt-2", "smollm", "qwen2", "llama-bpe" };
    char *text = malloc(LONG);
    CHECK(text);
    for (size_t p = 0; p < 4; p++) {
        vocab_file f;
        vocab_recipe r = recipe(pres[p]);
        CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            sv_ids ids = { 0 };
            memset(text, cases[i].letter, LONG);
            CHECK(sv_tokenize(f.v, text, LONG, 0, &ids, NULL) == SVLM_OK);
            assert_int_equal(ids.n, cases[i].n);
            sv_ids_free(&ids);
        }
        vocab_close(&f);
    }
    free(text);
}

/* ---- against the rule, word for word ---------------------------------------- */

enum { N_RANDOM = 40 };

static int rank_of(const char *left, const char *right, char rule[N_RANDOM][24])
{
    char s[64];
    strcat(strcat(strcpy(s, left), " "), right);
    for (int i = 0; i < N_RANDOM; i++)
        if (!strcmp(s, rule[i]))
            return i;
    return N_RANDOM;
}

static size_t merge_literally(char part[][32], size_t n, char rule[N_RANDOM][24])
{
    for (;;) {
        int best = N_RANDOM;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            int rank = rank_of(part[i], part[i + 1], rule);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == N_RANDOM)
            return n;
        size_t len = strlen(part[at]);
        memcpy(part[at] + len, part[at + 1], strlen(part[at + 1]) + 1);
        for (size_t i = at + 1; i + 1 < n; i++)
            memcpy(part[i], part[i + 1], sizeof part[i]);
        n--;
    }
}

/* Rules join letters and what earlier rules gave, in any order and with repeats. */
static void make_rules(sv_rng *rng, char rule[N_RANDOM][24], char whole[N_RANDOM][24])
{
    for (int i = 0; i < N_RANDOM; i++) {
        char side[2][24];
        do {
            for (int k = 0; k < 2; k++) {
                uint32_t from = sv_rng_below(rng, (uint32_t)i + 3);
                snprintf(side[k], sizeof side[k], "%s",
                         from < 3 ? (const char *[]){ "a", "b", "c" }[from] : whole[from - 3]);
            }
        } while (strlen(side[0]) + strlen(side[1]) > 20);
        memset(rule[i], 0, sizeof rule[i]);
        strcat(strcat(strcpy(rule[i], side[0]), " "), side[1]);
        strcat(strcpy(whole[i], side[0]), side[1]);
    }
}

static void test_random_rules(void **state)
{
    (void)state;
    sv_rng rng = { check_seed() };
    for (int round = 0; round < 20; round++) {
        static char rule[N_RANDOM][24], whole[N_RANDOM][24];
        vocab_token t[N_RANDOM];
        const char *list[N_RANDOM];
        make_rules(&rng, rule, whole);
        for (int i = 0; i < N_RANDOM; i++) {
            t[i] = (vocab_token){ whole[i], 0, SV_TOKEN_NORMAL };
            list[i] = rule[i];
        }
        vocab_file f;
        vocab_recipe r = { .model = "gpt2", .pre = "gpt-2", .tokens = t, .n = N_RANDOM, .bytes = 1,
                           .merges = list, .n_merges = N_RANDOM };
        CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
        for (int k = 0; k < 50; k++) {
            char part[32][32] = { { 0 } }, word[32] = { 0 };
            size_t n = sv_rng_below(&rng, 31);
            sv_ids ids = { 0 };
            for (size_t i = 0; i < n; i++)
                part[i][0] = word[i] = (char)('a' + sv_rng_below(&rng, 3));
            CHECK(sv_tokenize(f.v, word, n, 0, &ids, NULL) == SVLM_OK);
            n = merge_literally(part, n, rule);
            CHECK(ids.n == n);
            for (size_t i = 0; i < n; i++) {
                sv_span s = sv_vocab_text(f.v, ids.id[i]);
                CHECK(s.n == strlen(part[i]) && !memcmp(s.p, part[i], s.n));
            }
            sv_ids_free(&ids);
        }
        vocab_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges), cmocka_unit_test(test_whole_pieces),
        cmocka_unit_test(test_special_tokens), cmocka_unit_test(test_malformed_merges),
        cmocka_unit_test(test_long_texts), cmocka_unit_test(test_random_rules),
    };
    printf("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
