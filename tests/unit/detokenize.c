/* SPDX-License-Identifier: MIT */
/* Ids back to text: no half characters, whatever the model writes. */
#include "vocab_file.h"

#include "base/rng.h"
#include "base/utf8.h"

#define SP "\xe2\x96\x81"

enum { UNK, BOS, EOS, SP_HI, SPACE, FILLER, USER, HALF, BYTES };

static const vocab_token tokens[BYTES] = {
    [UNK] = { "<unk>", 0, SV_TOKEN_UNKNOWN }, [BOS] = { "<s>", 0, SV_TOKEN_CONTROL },
    [EOS] = { "</s>", 0, SV_TOKEN_CONTROL }, [SP_HI] = { SP "hi", 0, SV_TOKEN_NORMAL },
    [SPACE] = { SP, 0, SV_TOKEN_NORMAL }, [FILLER] = { "[PAD]", 0, SV_TOKEN_UNUSED },
    [USER] = { "<b>", 0, SV_TOKEN_USER }, [HALF] = { "x\xe2\x82", 0, SV_TOKEN_NORMAL },
};

static vocab_file file;

static int make_vocab(void **state)
{
    (void)state;
    vocab_recipe r = { .model = "llama", .tokens = tokens, .n = BYTES, .bytes = 1 };
    return vocab_make(&file, &r, NULL);
}

static int free_vocab(void **state)
{
    (void)state;
    vocab_close(&file);
    return 0;
}

#define BYTE(b) (BYTES + (b))
#define IDS(...) (const int32_t[]){ __VA_ARGS__, -1 }

/* Pieces are joined by |, also empty ones. */
static void check_pieces(const sv_vocab *v, const int32_t *ids, const char *want)
{
    char got[500], *out = malloc(sv_detok_max(v));
    size_t n = 0;
    sv_detok d;
    CHECK(out);
    sv_detok_start(&d, v);
    for (int last = 0; !last; ids++) {
        last = *ids < 0;
        size_t k = last ? sv_detok_finish(&d, out, sv_detok_max(v)) :
                          sv_detok_push(&d, *ids, out, sv_detok_max(v));
        memcpy(got + n, out, k);
        n += k;
        got[n++] = last ? 0 : '|';
    }
    assert_string_equal(got, want);
    free(out);
}

#define BAD "\xef\xbf\xbd"

static void test_words(void **state)
{
    (void)state;
    check_pieces(file.v, IDS(SP_HI, SP_HI), "hi| hi|");
    check_pieces(file.v, IDS(BOS, SP_HI, EOS, UNK, FILLER), "|hi||||");
    check_pieces(file.v, IDS(SPACE, SP_HI), "| hi|");        /* one leading space is dropped */
    check_pieces(file.v, IDS(BYTE(' '), SPACE), "| |");
    check_pieces(file.v, IDS(USER, SPACE), "<b>| |");
    check_pieces(file.v, IDS(1000000), "|");
}

static void test_characters_in_parts(void **state)
{
    (void)state;
    check_pieces(file.v, IDS(BYTE(0xf0), BYTE(0x9f), BYTE(0x98), BYTE(0x80), SP_HI),
                 "|||\xf0\x9f\x98\x80| hi|");
    check_pieces(file.v, IDS(HALF, BYTE(0xac)), "x|\xe2\x82\xac|");
    check_pieces(file.v, IDS(HALF), "x|" BAD BAD);           /* never completed */
    check_pieces(file.v, IDS(HALF, EOS, BYTE(0xac)), "x||\xe2\x82\xac|");
}

static void test_broken_characters(void **state)
{
    (void)state;
    check_pieces(file.v, IDS(HALF, SP_HI), "x|" BAD BAD " hi|");
    check_pieces(file.v, IDS(HALF, HALF), "x|" BAD BAD "x|" BAD BAD);
    check_pieces(file.v, IDS(BYTE(0x80), BYTE('a')), BAD "|a|");
    check_pieces(file.v, IDS(BYTE(0xc0), BYTE(0x80)), BAD "|" BAD "|");      /* overlong  */
    check_pieces(file.v, IDS(BYTE(0xed), BYTE(0xa0), BYTE(0x80)), "|" BAD BAD "|" BAD "|");
    check_pieces(file.v, IDS(BYTE(0xed), BYTE(0x9f), BYTE(0xbf)), "||\xed\x9f\xbf|");
    check_pieces(file.v, IDS(BYTE(0xf4), BYTE(0x90)), "|" BAD BAD "|");      /* too large */
    check_pieces(file.v, IDS(BYTE(0xff)), BAD "|");
    check_pieces(file.v, IDS(BYTE(0xc3), BYTE(0xc3), BYTE(0xa9)), "|" BAD "|\xc3\xa9|");
}

/* What is shown is valid at all times, and equals the valid characters with
 * U+FFFD for every other byte. */
static void test_random_bytes(void **state)
{
    (void)state;
    static const uint8_t likely[] = { 0x41, 0x80, 0xbf, 0xa0, 0xc3, 0xe2, 0xed, 0xe0, 0xf0, 0xf4,
                                      0x90 };
    sv_rng rng = { check_seed() };
    for (int round = 0; round < 2000; round++) {
        uint8_t text[24], got[100], want[100];
        size_t n = sv_rng_below(&rng, 24), k = 0, m = 0;
        sv_detok d;
        sv_detok_start(&d, file.v);
        for (size_t i = 0; i < n; i++) {
            char out[64];
            text[i] = likely[sv_rng_below(&rng, sizeof likely)];
            size_t len = sv_detok_push(&d, BYTE(text[i]), out, sizeof out);
            CHECK(sv_utf8_complete((uint8_t *)out, len) == len);
            memcpy(got + k, out, len);
            k += len;
        }
        k += sv_detok_finish(&d, (char *)got + k, sizeof got - k);
        for (size_t i = 0; i < n;) {
            uint32_t code;
            int len = sv_utf8_decode(text + i, n - i, &code);
            m += (size_t)sv_utf8_encode(len ? code : 0xfffd, want + m);
            i += len ? (size_t)len : 1;
        }
        CHECK(k == m && !memcmp(got, want, m));
    }
}

static void test_small_buffers(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 12; cap++) {
        char out[12];
        sv_detok d;
        memset(out, '#', sizeof out);
        sv_detok_start(&d, file.v);
        CHECK(sv_detok_push(&d, HALF, out, cap) <= cap);
        CHECK(sv_detok_push(&d, SP_HI, out, cap) <= cap);
        for (size_t i = cap; i < sizeof out; i++)
            CHECK(out[i] == '#');
    }
}

static void test_byte_level(void **state)
{
    (void)state;
    static const vocab_token t[] = {
        { "\xc4\xa0hi", 0, SV_TOKEN_NORMAL }, { "<|im_end|>", 0, SV_TOKEN_NORMAL },
        { "\xe4\xb8\x96", 0, SV_TOKEN_USER }, { "\xe4\xb8\x96", 0, SV_TOKEN_NORMAL },
    };
    static const char *const merges[] = { "a a" };
    vocab_recipe r = { .model = "gpt2", .pre = "gpt-2", .tokens = t, .n = 4, .bytes = 1,
                       .merges = merges, .n_merges = 1 };
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    check_pieces(f.v, IDS(0, 1, 0), " hi|| hi|");            /* no space is dropped here */
    check_pieces(f.v, IDS(4 + 0xe2, 4 + 0x82, 4 + 0xac), "||\xe2\x82\xac|");
    check_pieces(f.v, IDS(2, 3), "\xe4\xb8\x96|\xe4\xb8\x96|");  /* not written as bytes */
    vocab_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_characters_in_parts),
        cmocka_unit_test(test_broken_characters), cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_small_buffers), cmocka_unit_test(test_byte_level),
    };
    printf("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, make_vocab, free_vocab);
}
