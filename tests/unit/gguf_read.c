/* SPDX-License-Identifier: MIT */
/* The GGUF reader: the real files, and files built byte by byte that each tell
 * one lie. */
#include "check.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "gguf/gguf.h"

/* ---- a file in the making -------------------------------------------------- */

typedef struct bytes { uint8_t p[4096]; size_t n; } bytes;

static void put(bytes *b, const void *p, size_t n)
{
    CHECK(b->n + n <= sizeof b->p);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void put_u32(bytes *b, uint32_t v) { put(b, &v, sizeof v); }
static void put_u64(bytes *b, uint64_t v) { put(b, &v, sizeof v); }

static void put_str(bytes *b, const char *s)
{
    put_u64(b, strlen(s));
    put(b, s, strlen(s));
}

static void put_head(bytes *b, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    b->n = 0;
    put(b, "GGUF", 4);
    put_u32(b, version);
    put_u64(b, n_tensors);
    put_u64(b, n_keys);
}

static void put_key_u32(bytes *b, const char *name, uint32_t v)
{
    put_str(b, name);
    put_u32(b, 4);
    put_u32(b, v);
}

static void put_tensor(bytes *b, const char *name, uint64_t n0, uint64_t n1, uint32_t type,
                       uint64_t offset)
{
    put_str(b, name);
    put_u32(b, 2);
    put_u64(b, n0);
    put_u64(b, n1);
    put_u32(b, type);
    put_u64(b, offset);
}

static void put_data(bytes *b, size_t n)
{
    while (b->n % 32)
        b->p[b->n++] = 0;
    memset(b->p + b->n, 0, n);
    b->n += n;
}

/* Parses the bytes from a heap copy of the exact size, so that the sanitizer
 * sees any step past the end. words: NULL, or what the message must contain. */
static svlm_status parse(const bytes *b, const char *words)
{
    size_t alive = sv_alloc_alive();
    uint8_t *copy = malloc(b->n ? b->n : 1);
    memcpy(copy, b->p, b->n);
    char path[] = "x.gguf";
    sv_map map = { .data = copy, .size = b->n, .path = path, .fd = -1 };
    sv_gguf g;
    svlm_error err = { 0 };
    svlm_status st = sv_gguf_parse(&g, &map, &err);
    if (st && !strstr(err.message, words ? words : ""))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    if (words && !st)
        fail_msg("accepted, expected \"%s\"", words);
    if (st) {
        CHECK(!g.keys && !g.tensors && !g.n_keys);
    }
    sv_gguf_free(&g);
    CHECK(sv_alloc_alive() == alive);
    free(copy);
    return st;
}

/* ---- frame ----------------------------------------------------------------- */

static void test_other_files(void **state)
{
    (void)state;
    static const struct { const char *text; size_t n; const char *says; } files[] = {
        { "GGU", 3, "not a GGUF file" }, { "hello world", 11, "not a GGUF file" },
        { "PK\3\4xxxxxx", 10, "ZIP" }, { "lmgg\0\0\0\0", 8, "old ggml" },
        { "tjgg\1\0\0\0", 8, "old ggml" }, { "\x10\0\0\0\0\0\0\0{\"a\":1}", 15, "safetensors" },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bytes b = { .n = 0 };
        put(&b, files[i].text, files[i].n);
        CHECK(parse(&b, files[i].says) == SVLM_ERR_FORMAT);
    }
}

static void test_versions(void **state)
{
    (void)state;
    static const uint32_t bad[] = { 0, 1, 4, UINT32_C(1) << 31 };
    bytes b;
    for (uint32_t v = 2; v < 4; v++) {
        put_head(&b, v, 0, 0);
        CHECK(parse(&b, NULL) == SVLM_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        put_head(&b, bad[i], 0, 0);
        CHECK(parse(&b, i == 3 ? "byte order" : "version") == SVLM_ERR_UNSUPPORTED);
    }
    put_head(&b, 0x03000000, 0, 0);
    CHECK(parse(&b, "byte order") == SVLM_ERR_UNSUPPORTED);
}

static void test_counts_before_memory(void **state)
{
    (void)state;
    static const uint64_t bad[] = { UINT64_C(1) << 63, UINT64_C(1) << 32, UINT64_MAX, 100, 8 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int which = 0; which < 2; which++) {
            bytes b;
            put_head(&b, 3, which ? 0 : bad[i], which ? bad[i] : 0);
            put_data(&b, 64);
            size_t before = sv_alloc_count();
            CHECK(parse(&b, "absurd") == SVLM_ERR_FORMAT);
            CHECK(sv_alloc_count() == before);
        }
}

/* ---- keys ------------------------------------------------------------------ */

static void test_key_names(void **state)
{
    (void)state;
    bytes b;
    put_head(&b, 3, 0, 1);
    put_key_u32(&b, "", 1);
    put_data(&b, 32);
    parse(&b, "no name");
    put_head(&b, 3, 0, 3);
    put_key_u32(&b, "b", 1);
    put_key_u32(&b, "a", 1);
    put_key_u32(&b, "b", 1);
    parse(&b, "b appears twice");
    put_head(&b, 3, 0, 1);
    put_u64(&b, 3);
    put(&b, "a\0b", 3);
    put_u32(&b, 4);
    put_u32(&b, 1);
    parse(&b, "zero byte");
    put_head(&b, 3, 0, 1);
    put_key_u32(&b, "\xff\x1b[31m", 1);
    CHECK(parse(&b, NULL) == SVLM_OK);
    static const uint64_t lengths[] = { UINT64_MAX, UINT64_C(1) << 63, 13 };
    for (size_t i = 0; i < 3; i++) {
        put_head(&b, 3, 0, 1);
        put_u64(&b, lengths[i]);
        put(&b, "abcdefghijkl", 12);
        parse(&b, "ends in the name");
    }
}

static void test_values(void **state)
{
    (void)state;
    bytes b;
    static const uint32_t unknown[] = { 13, 255, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) {
        put_head(&b, 3, 0, 1);
        put_str(&b, "k");
        put_u32(&b, unknown[i]);
        put_data(&b, 32);
        parse(&b, "unknown value type");
    }
    /* Array lengths that wrap when multiplied, exceed the file, or are one too many. */
    static const struct { uint32_t type; uint64_t n; } arrays[] = {
        { 12, UINT64_C(1) << 61 }, { 0, UINT64_C(1) << 30 }, { 8, UINT64_MAX }, { 8, 2 }, { 4, 4 },
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        put_head(&b, 3, 0, 1);
        put_str(&b, "k");
        put_u32(&b, 9);
        put_u32(&b, arrays[i].type);
        put_u64(&b, arrays[i].n);
        put_u64(&b, 4);                         /* one text of four bytes, or three u32 */
        put_u32(&b, 0);
        parse(&b, "ends in the value of key k");
    }
    put_head(&b, 3, 0, 1);
    put_str(&b, "k");
    put_u32(&b, 9);
    for (int i = 0; i < 300; i++) {             /* arrays within arrays */
        put_u32(&b, 9);
        put_u64(&b, 1);
    }
    CHECK(parse(&b, "array of arrays") == SVLM_ERR_UNSUPPORTED);
}

/* ---- tensors --------------------------------------------------------------- */

static void test_alignment(void **state)
{
    (void)state;
    static const uint32_t bad[] = { 0, 1, 3, 48, UINT32_C(1) << 31 };
    bytes b;
    for (size_t i = 0; i < 5; i++) {
        put_head(&b, 3, 0, 1);
        put_key_u32(&b, "general.alignment", bad[i]);
        parse(&b, "general.alignment");
    }
    put_head(&b, 3, 0, 1);
    put_str(&b, "general.alignment");
    put_u32(&b, 8);
    put_str(&b, "32");
    parse(&b, "type string");
    put_head(&b, 3, 1, 1);
    put_key_u32(&b, "general.alignment", 8);
    put_tensor(&b, "t", 4, 1, 0, 8);
    put_data(&b, 32);
    CHECK(parse(&b, NULL) == SVLM_OK);
}

static void test_tensor_entries(void **state)
{
    (void)state;
    static const uint64_t huge = UINT64_C(1) << 32;
    static const struct {
        const char *name;
        uint64_t n0, n1;
        uint32_t type;
        uint64_t offset;
        const char *says;
    } t[] = {
        {"", 4, 1, 0, 0, "0 bytes"},
        {"0123456789012345678901234567890123456789012345678901234567890123", 4, 1, 0, 0,
         "64 bytes"},
        {"t", 0, 1, 0, 0, "dimension 0 is 0"},
        {"t", 4, 0, 0, 0, "dimension 1 is 0"},
        {"t", UINT64_MAX, 1, 0, 0, "too large"},
        {"t", UINT64_C(1) << 62, 1, 0, 0, "larger than the file"},
        {"t", huge, huge, 0, 0, "too large"},
        {"t", huge * 2, huge / 4, 0, 0, "too large"},
        {"t", 33, 1, 2, 0, "no multiple of the 32"},
        {"t", 128, 1, 12, 0, "no multiple of the 256"},
        {"t", 32, 1, 4, 0, "withdrawn"},
        {"t", 32, 1, 5, 0, "withdrawn"},
        {"t", 32, 1, 31, 0, "withdrawn"},
        {"t", 32, 1, 43, 0, "unknown"},
        {"t", 32, 1, UINT32_MAX, 0, "unknown"},
        {"t", 32, 1, 17, 0, "IQ2_XS"},
        {"t", 32, 1, 26, 0, "I32"},
        {"t", 4, 1, 0, 1, "no multiple of the alignment"},
        {"t", 4, 1, 0, 256, "do not fit"},
        {"t", 4, 1, 0, UINT64_MAX - 31, "do not fit"},
        {"t", 64, 1, 0, 32, "do not fit"},
        {"\x1b[2J", 64, 1, 0, 32, "\\x1b[2J"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        bytes b;
        put_head(&b, 3, 1, 0);
        put_tensor(&b, t[i].name, t[i].n0, t[i].n1, t[i].type, t[i].offset);
        put_data(&b, 256);
        parse(&b, t[i].says);
    }
    static const uint32_t n_dims[] = { 0, 5, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) {
        bytes b;
        put_head(&b, 3, 1, 0);
        put_str(&b, "t");
        put_u32(&b, n_dims[i]);
        put_data(&b, 128);
        parse(&b, "dimensions");
    }
}

static void test_tensors_together(void **state)
{
    (void)state;
    bytes b;
    put_head(&b, 3, 2, 0);
    put_tensor(&b, "a", 4, 1, 0, 0);
    put_tensor(&b, "a", 4, 1, 0, 32);
    put_data(&b, 64);
    parse(&b, "a appears twice");
    put_head(&b, 3, 2, 0);
    put_tensor(&b, "a", 16, 1, 0, 32);
    put_tensor(&b, "b", 9, 1, 0, 0);
    put_data(&b, 96);
    parse(&b, "overlap");
    /* Any order, gaps, and junk behind are fine. */
    put_head(&b, 3, 2, 0);
    put_tensor(&b, "a", 16, 1, 0, 64);
    put_tensor(&b, "b", 8, 1, 0, 0);
    put_data(&b, 200);
    CHECK(parse(&b, NULL) == SVLM_OK);
}

static void test_split_files(void **state)
{
    (void)state;
    bytes b;
    put_head(&b, 3, 0, 2);
    put_key_u32(&b, "split.no", 1);
    put_key_u32(&b, "split.count", 3);
    CHECK(parse(&b, "part 2 of a model split into 3") == SVLM_ERR_UNSUPPORTED);
    put_head(&b, 3, 0, 1);
    put_key_u32(&b, "split.count", 1);
    CHECK(parse(&b, NULL) == SVLM_OK);
}

/* ---- values ---------------------------------------------------------------- */

static void put_scalar(bytes *b, const char *name, uint32_t type, const void *v, size_t n)
{
    put_str(b, name);
    put_u32(b, type);
    put(b, v, n);
}

static void test_getters(void **state)
{
    (void)state;
    bytes b;
    put_head(&b, 3, 0, 11);
    put_scalar(&b, "u8", 0, &(uint8_t){ 200 }, 1);
    put_scalar(&b, "i16", 3, &(int16_t){ -5 }, 2);
    put_scalar(&b, "i64", 11, &(int64_t){ 4000000000 }, 8);
    put_scalar(&b, "u64", 10, &(uint64_t){ 5000000000 }, 8);
    put_scalar(&b, "min", 11, &(int64_t){ INT64_MIN }, 8);
    put_scalar(&b, "f32", 6, &(float){ 0.5f }, 4);
    put_scalar(&b, "f64", 12, &(double){ 0.25 }, 8);
    put_scalar(&b, "big", 12, &(double){ 1e300 }, 8);
    put_scalar(&b, "yes", 7, &(uint8_t){ 1 }, 1);
    put_scalar(&b, "perhaps", 7, &(uint8_t){ 2 }, 1);
    put_str(&b, "s");
    put_u32(&b, 8);
    put_str(&b, "text");
    char path[] = "x.gguf";
    sv_map map = { .data = b.p, .size = b.n, .path = path, .fd = -1 };
    sv_gguf g;
    svlm_error err;
    uint32_t u = 7;
    float f = 7;
    int yes = 7;
    sv_span s;
    CHECK(!sv_gguf_parse(&g, &map, &err));
    CHECK(!sv_gguf_get_u32(&g, "u8", &u, &err) && u == 200);
    CHECK(!sv_gguf_get_u32(&g, "i64", &u, &err) && u == 4000000000u);
    CHECK(!sv_gguf_opt_u32(&g, "none", &u, &err) && u == 4000000000u);
    CHECK(sv_gguf_get_u32(&g, "none", &u, &err) == SVLM_ERR_FORMAT &&
          strstr(err.message, "x.gguf: the key none"));
    CHECK(sv_gguf_get_u32(&g, "i16", &u, &err) == SVLM_ERR_FORMAT &&
          strstr(err.message, "i16 is -5,"));
    CHECK(sv_gguf_get_u32(&g, "min", &u, &err) && strstr(err.message, "is -9223372036854775808,"));
    CHECK(sv_gguf_get_u32(&g, "u64", &u, &err) && strstr(err.message, "u64 is 5000000000,"));
    CHECK(sv_gguf_get_u32(&g, "f32", &u, &err) && strstr(err.message, "type f32"));
    CHECK(!sv_gguf_get_f32(&g, "f32", &f, &err) && f == 0.5f);
    CHECK(!sv_gguf_get_f32(&g, "f64", &f, &err) && f == 0.25f);
    CHECK(sv_gguf_get_f32(&g, "big", &f, &err) && sv_gguf_get_f32(&g, "u8", &f, &err));
    CHECK(!sv_gguf_opt_bool(&g, "yes", &yes, &err) && yes == 1);
    CHECK(sv_gguf_opt_bool(&g, "perhaps", &yes, &err) && sv_gguf_opt_bool(&g, "s", &yes, &err));
    CHECK(!sv_gguf_get_str(&g, "s", &s, &err) && s.n == 4 && !memcmp(s.p, "text", 4));
    CHECK(sv_gguf_get_str(&g, "u8", &s, &err) && !sv_gguf_has(&g, "none") &&
          sv_gguf_has(&g, "min"));
    sv_gguf_free(&g);
}

/* ---- real files ------------------------------------------------------------ */

static void test_real_file(void **state)
{
    (void)state;
    char path[500];
    snprintf(path, sizeof path, "%s/models/t4/t4-q4_k_m.gguf", getenv("SVLM_TEST_DATA"));
    sv_map map;
    sv_gguf g;
    svlm_error err;
    CHECK(!sv_map_file(&map, path, 0, &err));
    CHECK(!sv_gguf_parse(&g, &map, &err));
    CHECK(g.version == 3 && g.n_tensors == 8 * 9 + 3);
    uint32_t u = 0;
    CHECK(!sv_gguf_get_u32(&g, "llama.embedding_length", &u, &err) && u == 256);
    sv_gguf_array tokens = { 0 }, scores = { 0 };
    CHECK(!sv_gguf_opt_array(&g, "tokenizer.ggml.tokens", &tokens, &err) && tokens.type == 8 &&
          tokens.n == 512);
    const uint8_t *at = tokens.data;
    sv_span s = sv_gguf_next_string(&tokens, &at);
    CHECK(s.n == 5 && !memcmp(s.p, "<unk>", 5));
    for (uint64_t i = 1; i < tokens.n; i++)
        s = sv_gguf_next_string(&tokens, &at);
    CHECK(at == tokens.end && s.n);
    s = sv_gguf_next_string(&tokens, &at);
    CHECK(s.n == 0);
    CHECK(!sv_gguf_opt_array(&g, "tokenizer.ggml.scores", &scores, &err) && scores.n == 512);
    CHECK(isfinite(sv_gguf_number(&scores, 511)) && sv_gguf_number(&scores, 512) == 0);
    const sv_gguf_tensor *t = sv_gguf_findf(&g, "blk.%d.ffn_down.weight", 7);
    CHECK(t && t->type == SV_Q6_K && t->n_dims == 2 && t->dim[1] == 256 && t->dim[2] == 1);
    CHECK(t->data + t->n_bytes <= map.data + map.size);
    CHECK(!sv_gguf_find(&g, "blk.8.ffn_down.weight") && !sv_gguf_findf(&g, "%0100d", 1));
    for (size_t i = 0; i < g.n_tensors; i++)
        CHECK(sv_gguf_find(&g, g.tensors[i].name) == &g.tensors[i]);
    sv_gguf_free(&g);
    sv_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_counts_before_memory),
        cmocka_unit_test(test_key_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_tensor_entries),
        cmocka_unit_test(test_tensors_together),
        cmocka_unit_test(test_split_files),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_real_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
