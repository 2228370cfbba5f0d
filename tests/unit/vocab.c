/* SPDX-License-Identifier: MIT */
/* Vocabularies as files bring them: what is refused, what is put right. */
#include "vocab_file.h"
#include "faults.h"

static const vocab_token base[] = {
    { "<unk>", 0, SV_TOKEN_UNKNOWN }, { "<s>", 0, SV_TOKEN_CONTROL },
    { "</s>", 0, SV_TOKEN_CONTROL }, { "a", -1, SV_TOKEN_NORMAL }, { "b", -2, SV_TOKEN_NORMAL },
};

enum { N_BASE = sizeof base / sizeof *base };

static vocab_recipe recipe(void)
{
    return (vocab_recipe){ .model = "llama", .tokens = base, .n = N_BASE };
}

static void check_refused(const vocab_recipe *r, svlm_status want, const char *said)
{
    vocab_file f;
    svlm_error err = { 0 };
    size_t alive = sv_alloc_alive();
    svlm_status st = vocab_make(&f, r, &err);
    if (st != want || f.v || !strstr(err.message, said))
        fail_msg("status %d, \"%s\"; wanted %d, \"%s\"", st, err.message, want, said);
    vocab_close(&f);
    CHECK(sv_alloc_alive() == alive);
}

static void put_numbers_as_tokens(sv_gguf_writer *w)
{
    static const int32_t n[] = { 1, 2, 3 };
    sv_gguf_put_array(w, "tokenizer.ggml.tokens", SV_GGUF_I32, n, 3);
}

static void put_a_million_tokens(sv_gguf_writer *w)
{
    enum { N = (1 << 20) + 1 };
    sv_span *none = calloc(N, sizeof *none);
    CHECK(none);
    sv_gguf_put_strings(w, "tokenizer.ggml.tokens", none, N);
    free(none);
}

static void put_texts_as_scores(sv_gguf_writer *w)
{
    static const sv_span t[] = { { "1", 1 }, { "2", 1 }, { "3", 1 }, { "4", 1 }, { "5", 1 } };
    sv_gguf_put_strings(w, "tokenizer.ggml.scores", t, 5);
}

static void put_text_as_id(sv_gguf_writer *w)
{
    sv_gguf_put_str(w, "tokenizer.ggml.eos_token_id", "2");
}

static void test_refusals(void **state)
{
    (void)state;
    vocab_recipe r = { .tokens = base, .n = N_BASE };
    check_refused(&r, SVLM_ERR_FORMAT, "tokenizer.ggml.model");
    r = recipe();
    r.model = "bert";
    check_refused(&r, SVLM_ERR_UNSUPPORTED, "\"bert\"");
    r.model = "a\x1b[31m";
    check_refused(&r, SVLM_ERR_UNSUPPORTED, "a\\x1b[31m");
    r.model = "gpt2";
    r.pre = "some-new-one";
    check_refused(&r, SVLM_ERR_UNSUPPORTED, "\"some-new-one\"");
    r = (vocab_recipe){ .model = "llama" };
    check_refused(&r, SVLM_ERR_FORMAT, "tokenizer.ggml.tokens");
    r.more = put_numbers_as_tokens;
    check_refused(&r, SVLM_ERR_FORMAT, "tokenizer.ggml.tokens");
    r.more = put_a_million_tokens;
    check_refused(&r, SVLM_ERR_FORMAT, "1 to 1048576 strings");
    r = recipe();
    r.n_scores = N_BASE - 1;
    check_refused(&r, SVLM_ERR_FORMAT, "scores has 4 entries for 5 tokens");
    r.no_scores = 1;
    check_refused(&r, SVLM_ERR_FORMAT, "token_type has 4 entries for 5 tokens");
    r = recipe();
    r.no_scores = 1;
    r.more = put_texts_as_scores;
    check_refused(&r, SVLM_ERR_FORMAT, "scores must hold numbers");
    r = recipe();
    r.more = put_text_as_id;
    check_refused(&r, SVLM_ERR_FORMAT, "eos_token_id");
}

static void test_absurd_tokens(void **state)
{
    (void)state;
    static char longer[4098];
    vocab_token t[N_BASE];
    vocab_recipe r = recipe();
    r.tokens = t;
    for (int32_t kind = -1; kind <= 7; kind += 8) {
        memcpy(t, base, sizeof t);
        t[4].kind = kind;
        check_refused(&r, SVLM_ERR_FORMAT, "token_type of token 4");
    }
    memcpy(t, base, sizeof t);
    memset(longer, 'x', sizeof longer - 1);
    t[3].text = longer;
    check_refused(&r, SVLM_ERR_FORMAT, "token 3 has 4097 bytes");
    longer[4096] = 0;
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    vocab_close(&f);
}

static void test_repeated_and_empty_texts(void **state)
{
    (void)state;
    vocab_token t[8] = { base[0], base[1], base[2], base[3], base[4], base[3], { "", 0, 1 },
                         { "", 0, SV_TOKEN_CONTROL } };
    vocab_recipe r = recipe();
    r.tokens = t;
    r.n = 8;
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(sv_vocab_size(f.v) == 8 && sv_vocab_find(f.v, "a", 1) == 3);
    CHECK(sv_vocab_find(f.v, "", 0) == -1 && sv_vocab_find(f.v, "ab", 2) == -1);
    vocab_check(f.v, "</s>a", 1, (const int32_t[]){ 2, 0, 0, 0, 3, -1 });
    vocab_close(&f);
}

/* The same hash in all bits that a table of 4096 places looks at. */
static int in_first_place(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return ((h ^ h >> 29) & 4095) == 0;
}

static void test_texts_made_to_collide(void **state)
{
    (void)state;
    enum { N = 1100 };
    static char text[N][12];
    static vocab_token t[N];
    size_t n = 0;
    for (unsigned i = 0; n < N; i++) {
        snprintf(text[n], sizeof *text, "%u", i);
        if (in_first_place(text[n])) {
            t[n] = (vocab_token){ text[n], 0, SV_TOKEN_NORMAL };
            n++;
        }
    }
    vocab_recipe r = { .model = "llama", .tokens = t, .n = N };
    check_refused(&r, SVLM_ERR_FORMAT, "collide");
}

static void put_ids(sv_gguf_writer *w)
{
    sv_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 5);
    sv_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 4000000000u);
    sv_gguf_put_u32(w, "tokenizer.ggml.eot_token_id", 3);
    sv_gguf_put_u32(w, "tokenizer.ggml.eom_token_id", 4);
    sv_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", 1);
}

static void test_ids(void **state)
{
    (void)state;
    vocab_file f;
    vocab_recipe r = recipe();
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(sv_vocab_bos(f.v) == 1 && sv_vocab_eos(f.v) == 2 && sv_vocab_add_bos(f.v));
    CHECK(sv_vocab_is_end(f.v, 2) && !sv_vocab_is_end(f.v, 3));
    CHECK(!sv_vocab_is_end(f.v, -1) && !sv_vocab_is_end(f.v, 5));
    CHECK(sv_vocab_text(f.v, 5).n == 0 && sv_vocab_text(f.v, -1).n == 0);
    CHECK(!sv_vocab_may_sample(f.v, -1) && !sv_vocab_may_sample(f.v, 5));
    vocab_close(&f);
    r.more = put_ids;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    CHECK(strstr(f.warning, "eos_token_id is 4000000000"));
    CHECK(sv_vocab_bos(f.v) == -1 && sv_vocab_eos(f.v) == -1 && !sv_vocab_add_bos(f.v));
    CHECK(sv_vocab_is_end(f.v, 3) && sv_vocab_is_end(f.v, 4));
    CHECK(sv_vocab_is_end(f.v, 2));              /* by its text */
    vocab_close(&f);
}

static void test_ends_by_text(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "</s>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
        "<end_of_turn>", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<EOT>",
        "<\xef\xbd\234end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\234>",
    };
    enum { N = sizeof ends / sizeof *ends };
    vocab_token t[3 + N + 1] = { base[0], base[1], { "x", 0, SV_TOKEN_NORMAL } };
    for (int i = 0; i < N; i++)
        t[3 + i] = (vocab_token){ ends[i], 0, i % 2 ? SV_TOKEN_NORMAL : SV_TOKEN_USER };
    t[3 + N] = (vocab_token){ "<|im_ending|>", 0, SV_TOKEN_NORMAL };
    vocab_recipe r = { .model = "llama", .tokens = t, .n = 3 + N + 1 };
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    for (int i = 0; i < N; i++) {
        sv_ids ids = { 0 };
        CHECK(sv_vocab_is_end(f.v, 3 + i));
        CHECK(sv_tokenize(f.v, ends[i], strlen(ends[i]), 1, &ids, NULL) == SVLM_OK);
        CHECK(ids.n == 1 && ids.id[0] == 3 + i);
        ids.n = 0;
        CHECK(sv_tokenize(f.v, ends[i], strlen(ends[i]), 0, &ids, NULL) == SVLM_OK);
        for (size_t k = 0; k < ids.n; k++)       /* no user can end a turn */
            CHECK(!sv_vocab_is_end(f.v, ids.id[k]));
        sv_ids_free(&ids);
    }
    CHECK(!sv_vocab_is_end(f.v, 3 + N));
    vocab_close(&f);
}

static void test_no_scores_and_kinds(void **state)
{
    (void)state;
    vocab_token t[] = { base[0], base[1], base[2], base[3], { "<0x62>", 0, 0 }, { "aa", 0, 0 } };
    vocab_recipe r = { .model = "llama", .tokens = t, .n = 6, .no_scores = 1, .no_kinds = 1 };
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    vocab_check(f.v, "aab", 0, (const int32_t[]){ 0, 0, 0, 5, 4, -1 });     /* U+2581: unknown */
    CHECK(sv_vocab_is_end(f.v, 2));
    vocab_close(&f);
}

/* Whatever a damaged file says: a vocabulary that works, or a sentence. */
static void use_damaged(const uint8_t *bytes, size_t n)
{
    static const char text[] = "ab <0x41></s> \xff\xe2";
    sv_map map = { .data = bytes, .size = n, .path = (char *)"damaged", .fd = -1 };
    sv_gguf g;
    sv_vocab *v = NULL;
    svlm_error err = { 0 };
    svlm_status st = sv_gguf_parse(&g, &map, &err);
    if (!st)
        st = sv_vocab_load(&v, &g, NULL, &err);
    CHECK(!st == (v != NULL) && (!st || *err.message));
    if (!st) {
        sv_ids ids = { 0 };
        char *out = malloc(sv_detok_max(v));
        sv_detok d;
        CHECK(out && !sv_tokenize(v, text, sizeof text, 1, &ids, NULL));
        sv_detok_start(&d, v);
        for (size_t i = 0; i < ids.n; i++)
            CHECK(sv_detok_push(&d, ids.id[i], out, sv_detok_max(v)) <= sv_detok_max(v));
        free(out);
        sv_ids_free(&ids);
    }
    sv_vocab_free(v);
    sv_gguf_free(&g);
}

static void put_more_ids(sv_gguf_writer *w)
{
    put_ids(w);
    sv_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", 1);
}

static void test_every_bit_flipped(void **state)
{
    (void)state;
    static const char *const merges[] = { "a b", "ab b", "b a" };
    static const vocab_token t[] = {
        { "<unk>", 0, SV_TOKEN_UNKNOWN }, { "<s>", 0, SV_TOKEN_CONTROL },
        { "</s>", 0, SV_TOKEN_CONTROL }, { "a", -1, SV_TOKEN_NORMAL }, { "b", -2, SV_TOKEN_USER },
        { "ab", -3, SV_TOKEN_NORMAL }, { "<0x41>", 0, SV_TOKEN_BYTE },
    };
    vocab_recipe r[] = {
        { .model = "llama", .tokens = t, .n = 7, .more = put_more_ids },
        { .model = "gpt2", .pre = "qwen2", .tokens = t, .n = 7, .merges = merges, .n_merges = 3 },
    };
    size_t alive = sv_alloc_alive();
    for (int i = 0; i < 2; i++) {
        vocab_file f;
        CHECK(vocab_make(&f, &r[i], NULL) == SVLM_OK);
        uint8_t *copy = malloc(f.map.size);
        CHECK(copy);
        memcpy(copy, f.map.data, f.map.size);
        for (size_t bit = 0; bit < f.map.size * 8; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            use_damaged(copy, f.map.size);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < f.map.size; n++) {
            uint8_t *cut = malloc(n + 1);        /* so that reading on is seen */
            CHECK(cut);
            memcpy(cut, copy, n);
            use_damaged(cut, n);
            free(cut);
        }
        free(copy);
        vocab_close(&f);
    }
    CHECK(sv_alloc_alive() == alive);
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    static const char *const merges[] = { "a a" };
    vocab_recipe r = { .model = "gpt2", .pre = "gpt-2", .tokens = base, .n = N_BASE, .bytes = 1,
                       .merges = merges, .n_merges = 1 };
    vocab_file f;
    CHECK(vocab_make(&f, &r, NULL) == SVLM_OK);
    sv_vocab_free(f.v);
    size_t alive = sv_alloc_alive();
    svlm_status st;
    int n = 0;
    do {
        svlm_error err;
        fault_from(n++);
        st = sv_vocab_load(&f.v, &f.g, NULL, &err);
        fault_end();
        CHECK(st == SVLM_OK || (st == SVLM_ERR_NOMEM && !f.v && sv_alloc_alive() == alive));
    } while (st);
    CHECK(n > 8);
    vocab_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_absurd_tokens),
        cmocka_unit_test(test_repeated_and_empty_texts),
        cmocka_unit_test(test_texts_made_to_collide), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ends_by_text), cmocka_unit_test(test_no_scores_and_kinds),
        cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
