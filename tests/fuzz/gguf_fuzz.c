/* SPDX-License-Identifier: MIT */
/* A small model's file, cut at every byte of its header and at many places of its data,
 * with every bit of the header flipped in turn, with random bytes, and with every
 * allocation failing: each time a status and a sentence, or a file whose every part can
 * be read. The sanitizers watch; the bytes lie in heap blocks of exactly their size. */
#include "check.h"
#include "faults.h"

#include "base/rng.h"
#include "tiny_model.h"

static tiny_model files;
static uint8_t *bytes;
static size_t n_bytes, n_header;
static char name[] = "fuzz.gguf";

static int setup(void **state)
{
    (void)state;
    sv_model_shape s = tiny_shape();
    sv_map map;
    sv_gguf g;
    svlm_error err;
    s.n_vocab = 355;
    s.n_layers = 2;
    tiny_model_make(&files, &s);
    if (sv_map_file(&map, files.llm, 0, &err) || sv_gguf_parse(&g, &map, &err))
        return -1;
    n_bytes = map.size;
    n_header = (size_t)(g.tensors[0].data - map.data);
    bytes = malloc(n_bytes);
    memcpy(bytes, map.data, n_bytes);
    sv_gguf_free(&g);
    sv_map_close(&map);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(bytes);
    tiny_model_remove(&files);
    return 0;
}

static uint64_t touched;          /* so that no read is optimised away */

/* Everything a loader could ask of a parsed file. */
static void use(const sv_gguf *g)
{
    for (size_t i = 0; i < g->n_keys; i++) {
        const struct sv_gguf_key *k = &g->keys[i];
        char key[200];
        uint32_t u = 0;
        float f = 0;
        int b = 0;
        sv_span s = { 0 };
        sv_gguf_array a = { 0 };
        svlm_error err;
        snprintf(key, sizeof key, "%.*s", k->name.n < 199 ? (int)k->name.n : 199, k->name.p);
        touched += (uint64_t)sv_gguf_opt_u32(g, key, &u, &err) +
                   (uint64_t)sv_gguf_opt_f32(g, key, &f, &err);
        touched += (uint64_t)sv_gguf_opt_bool(g, key, &b, &err) +
                   (uint64_t)sv_gguf_opt_str(g, key, &s, &err);
        if (s.n)
            touched += (uint8_t)s.p[0] + (uint8_t)s.p[s.n - 1];
        touched += (uint64_t)sv_gguf_opt_array(g, key, &a, &err);
        const uint8_t *at = a.data;
        for (uint64_t e = 0; e < a.n; e++)
            if (a.type == SV_GGUF_STR)
                touched += sv_gguf_next_string(&a, &at).n;
            else
                touched += sv_gguf_number(&a, e) > 0;
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        const sv_gguf_tensor *t = &g->tensors[i];
        CHECK(sv_gguf_find(g, t->name) == t && t->n_bytes > 0);
        touched += t->data[0] + t->data[t->n_bytes - 1];
    }
}

/* Parses; a refusal says why, naming the file, and leaves nothing behind. */
static svlm_status try(const uint8_t *p, size_t n)
{
    sv_map map = { .data = p, .size = n, .path = name, .fd = -1 };
    size_t alive = sv_alloc_alive();
    sv_gguf g;
    svlm_error err = { 0 };
    svlm_status st = sv_gguf_parse(&g, &map, &err);
    if (st)
        CHECK(err.status == st && strstr(err.message, name));
    else
        use(&g);
    sv_gguf_free(&g);
    CHECK(sv_alloc_alive() == alive);
    return st;
}

static void cut_at(size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    if (!try(copy, n))
        fail_msg("cut at %zu of %zu bytes and accepted", n, n_bytes);
    free(copy);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n <= n_header; n++)
        cut_at(n);
    for (size_t i = 0; i < 1000; i++)
        cut_at(n_header + (n_bytes - 1 - n_header) * i / 999);
    CHECK(try(bytes, n_bytes) == SVLM_OK);
}

static void test_every_bit_flipped(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t i = 0; i < n_header * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        refused += try(bytes, n_bytes) != SVLM_OK;
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    printf("%zu of %zu refused\n", refused, n_header * 8);
    CHECK(refused > n_header / 8 && refused < n_header * 8);
}

/* Several bytes at once, among them the values that are off by one or wrap. */
static void test_random_damage(void **state)
{
    (void)state;
    static const uint8_t nasty[] = { 0, 1, 8, 9, 0x7f, 0x80, 0xff };
    sv_rng r = { check_seed() };
    uint8_t *copy = malloc(n_bytes);
    memcpy(copy, bytes, n_bytes);
    for (int round = 0; round < 5000; round++) {
        memcpy(copy, bytes, n_header);
        for (uint32_t k = 1 + sv_rng_below(&r, 8); k > 0; k--) {
            size_t at = sv_rng_below(&r, (uint32_t)n_header), run = 1 + sv_rng_below(&r, 8);
            uint8_t value = nasty[sv_rng_below(&r, sizeof nasty)];
            for (size_t i = at; i < at + run && i < n_header; i++)
                copy[i] = value;
        }
        try(copy, n_bytes);
    }
    free(copy);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    int n = 0;
    for (svlm_status st = SVLM_ERR_NOMEM; st;) {
        fault_at(n++);
        st = try(bytes, n_bytes);
        fault_end();
        CHECK(!st || st == SVLM_ERR_NOMEM);
    }
    CHECK(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_random_damage), cmocka_unit_test(test_every_allocation_fails),
    };
    printf("SEED=%llu\n", (unsigned long long)check_seed());
    return cmocka_run_group_tests(tests, setup, teardown);
}
