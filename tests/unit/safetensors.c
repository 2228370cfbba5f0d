/* SPDX-License-Identifier: MIT */
/* Safetensors files and shard indices that lie, and a SentencePiece model that is cut or
 * damaged anywhere: each is refused with a sentence, and nothing is left behind. */
#include "check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tools/safetensors.h"
#include "tools/sentencepiece.h"

static char folder[] = "/tmp/svlm-st-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    CHECK(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

/* header length, header, n_data zero bytes */
static void write_st(const char *name, uint64_t length, const char *header, size_t n_data)
{
    static uint8_t b[1 << 20];
    size_t n = strlen(header);
    CHECK(8 + n + n_data <= sizeof b);
    memset(b, 0, sizeof b);
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(length >> 8 * i);
    memcpy(b + 8, header, n);
    write_file(name, b, 8 + n + n_data);
}

static void remove_files(void)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "a.safetensors",     "b.safetensors",
                                        "pytorch_model.bin", "tokenizer.model"};
    for (int i = 0; i < 6; i++)
        unlink(in_folder(names[i]));
}

static int remove_folder(void **state)
{
    (void)state;
    remove_files();
    return rmdir(folder);
}

/* says: NULL when it must open. */
static void open_checkpoint(const char *says)
{
    size_t alive = sv_alloc_alive();
    sv_safetensors s;
    svlm_error err = { 0 };
    svlm_status st = sv_safetensors_open(&s, folder, &err);
    if (!says != !st || (says && !strstr(err.message, says)))
        fail_msg("expected \"%s\", got \"%s\"", says ? says : "success", err.message);
    if (st)
        CHECK(!s.tensors && !s.n_shards);
    sv_safetensors_close(&s);
    CHECK(sv_alloc_alive() == alive);
}

static void try_header(const char *header, size_t n_data, const char *says)
{
    write_st("model.safetensors", strlen(header), header, n_data);
    open_checkpoint(says);
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_lengths(void **state)
{
    (void)state;
    static const uint64_t bad[] = { 0, 1, 100, 1 << 20, 200000000, UINT64_MAX, UINT64_C(1) << 63 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_st("model.safetensors", bad[i], "{}", 0);
        open_checkpoint("does not fit");
    }
    write_file("model.safetensors", "1234567", 7);
    open_checkpoint("too short");
    write_file("model.safetensors", "", 0);
    open_checkpoint("empty");
    remove_files();
    open_checkpoint("cannot open");
    write_file("pytorch_model.bin", "x", 1);
    open_checkpoint("pickles");
    remove_files();
}

static void test_json(void **state)
{
    (void)state;
    static char deep[300000];
    try_header("[]", 0, "begin with {");
    try_header("{ ", 0, "JSON");
    try_header("{\"a\":1}", 0, "not an object");
    try_header("{\"a\xff\":1}", 0, "JSON");
    try_header("{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[0,4]") "}", 4, "JSON");
    try_header("{} x", 0, "JSON");
    try_header("{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "[1]", "[0,4]") "}   ", 4,
               NULL);
    strcpy(deep, "{\"a\":");
    memset(deep + 5, '[', 200000);
    try_header(deep, 0, "JSON");
}

static void test_entries(void **state)
{
    (void)state;
    try_header("{" T("a", "F32", "[2,3]", "[0,24]") "," T("b", "I64", "[]", "[24,32]") ","
               T("c", "F16", "[0,5]", "[24,24]") "}", 32, NULL);
    try_header("{" T("a", "F33", "[1]", "[0,4]") "}", 4, "dtype F33");
    try_header("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype");
    try_header("{" T("a", "F32", "1", "[0,4]") "}", 4, "shape");
    try_header("{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "shape");
    try_header("{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "whole number");
    try_header("{" T("a", "F32", "[1.5]", "[0,4]") "}", 4, "whole number");
    try_header("{" T("a", "F32", "[1e400]", "[0,4]") "}", 4, "JSON");
    try_header("{" T("a", "F32", "[18446744073709551616]", "[0,4]") "}", 4, "JSON");
    try_header("{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 4, "absurdly");
    try_header("{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 4, "absurdly");
    try_header("{" T("a", "F32", "[1]", "[4,0]") "}", 4, "reversed");
    try_header("{" T("a", "F32", "[2]", "[0,8]") "}", 4, "beyond");
    try_header("{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, "two whole numbers");
    try_header("{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "two whole numbers");
    try_header("{" T("a", "F32", "[2]", "[0,4]") "}", 4, "span");
    try_header("{" T("a", "F32", "[1]", "[4,8]") "}", 8, "gap");
    try_header("{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, "gap");
    try_header("{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[1]", "[4,8]") "}", 8,
               "overlaps");
    try_header("{" T("a", "F32", "[1]", "[0,4]") "}", 8, "belong to no tensor");
}

static void try_index(const char *weight_map, const char *says)
{
    char json[500];
    snprintf(json, sizeof json, "{\"weight_map\":%s}", weight_map);
    write_file("model.safetensors.index.json", json, strlen(json));
    open_checkpoint(says);
}

static void test_index(void **state)
{
    (void)state;
    static const char a[] = "{" T("a", "F32", "[1]", "[0,4]") "}",
                      b[] = "{" T("b", "F32", "[1]", "[0,4]") "}";
    remove_files();
    write_st("a.safetensors", sizeof a - 1, a, 4);
    write_st("b.safetensors", sizeof b - 1, b, 4);
    try_index("{\"a\":\"a.safetensors\",\"b\":\"b.safetensors\"}", NULL);
    try_index("{\"a\":\"../../etc/x\"}", "not a file beside it");
    try_index("{\"a\":\"/etc/passwd\"}", "not a file beside it");
    try_index("{\"a\":\"..\"}", "not a file beside it");
    try_index("{\"a\":\"\"}", "not a file beside it");
    try_index("{\"a\":7}", "not a file beside it");
    try_index("{\"a\":\"c.safetensors\"}", "cannot open");
    try_index("{\"a\":\"a.safetensors\",\"c\":\"b.safetensors\"}",
              "tensor c is not in b.safetensors");
    try_index("{\"a\":\"a.safetensors\",\"b\":\"a.safetensors\"}",
              "tensor b is not in a.safetensors");
    try_index("[]", "no weight_map");
    write_st("b.safetensors", sizeof a - 1, a, 4);
    try_index("{\"a\":\"a.safetensors\",\"b\":\"b.safetensors\"}", "in two shards");
    remove_files();
}

/* ---- SentencePiece ------------------------------------------------------------ */

static svlm_status open_model(const uint8_t *p, size_t n, size_t *n_pieces)
{
    size_t alive = sv_alloc_alive();
    sv_sentencepiece sp;
    svlm_error err = { 0 };
    write_file("tokenizer.model", p, n);
    svlm_status st = sv_sentencepiece_open(&sp, in_folder("tokenizer.model"), &err);
    if (st)
        CHECK(strstr(err.message, "tokenizer.model"));
    *n_pieces = sp.n;
    for (size_t i = 0; i < sp.n; i++)
        CHECK(sp.texts[i].n && sp.types[i] >= 1 && sp.types[i] <= 6);
    sv_sentencepiece_close(&sp);
    CHECK(sv_alloc_alive() == alive);
    return st;
}

static void test_sentencepiece(void **state)
{
    (void)state;
    char path[500];
    svlm_error err;
    sv_map map;
    size_t n;
    snprintf(path, sizeof path, "%s/models/t2/hf/tokenizer.model", getenv("SVLM_TEST_DATA"));
    CHECK(!sv_map_file(&map, path, 1, &err));
    uint8_t *copy = malloc(map.size);
    memcpy(copy, map.data, map.size);
    CHECK(!open_model(copy, map.size, &n) && n == 387);
    /* Cut anywhere: refused, for the settings come last. */
    for (size_t cut = 0; cut < map.size; cut += 41)
        CHECK(open_model(copy, cut, &n));
    sv_rng r = { check_seed() };
    for (int round = 0; round < 500; round++) {
        size_t at = sv_rng_below(&r, (uint32_t)map.size);
        copy[at] ^= (uint8_t)(1u << sv_rng_below(&r, 8));
        open_model(copy, map.size, &n);
        copy[at] = map.data[at];
    }
    free(copy);
    sv_map_close(&map);
    /* A unigram model: one piece, settings without a kind, which means unigram. */
    static const uint8_t unigram[] = { 0x0a, 3, 0x0a, 1, 'a', 0x12, 2, 0x20, 5 };
    CHECK(open_model(unigram, sizeof unigram, &n) == SVLM_ERR_UNSUPPORTED);
    static const uint8_t huge[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 1,    'a'};
    CHECK(open_model(huge, sizeof huge, &n) == SVLM_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_json), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_index), cmocka_unit_test(test_sentencepiece),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
