/* SPDX-License-Identifier: MIT */
/* The cache: what is put is there, for every layer, head and row apart, in both
 * types, and rows survive being saved and loaded elsewhere. */
#include "check.h"

#include "base/alloc.h"
#include "llm/kv_cache.h"

enum { LAYERS = 3, HEADS = 2, DIM = 6, CTX = 20, WIDTH = HEADS * DIM };

typedef struct cache { sv_kv kv; void *block; size_t n_bytes; } cache;

static cache open_cache(int f16)
{
    cache c = { .kv = { .n_layers = LAYERS, .n_ctx = CTX, .n_kv_heads = HEADS, .head_dim = DIM,
                        .f16 = f16 } };
    sv_arena a = { 0 };
    sv_kv_layout(&c.kv, &a);
    c.n_bytes = a.used;
    c.block = sv_block_new(SV_MEM_CHAT, c.n_bytes, 0);
    CHECK(c.block != NULL);
    a = (sv_arena){ .base = c.block, .size = c.n_bytes };
    sv_kv_layout(&c.kv, &a);
    CHECK(!a.overflow && sv_kv_row_bytes(&c.kv) == 2 * WIDTH * (f16 ? 2u : 4u));
    return c;
}

/* Small integers, exact as halves, all different for is_value, layer, row and place. */
static float value_at(int is_value, int layer, int row, int i)
{
    return (float)(((is_value * LAYERS + layer) * CTX + row) * WIDTH + i - 700);
}

static void put(cache *c, int layer, int at, int n)
{
    const sv_mm mm = { .k = sv_kernels_get(), .n_threads = 2 };
    float row[2][CTX * WIDTH];
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < n * WIDTH; i++)
            row[v][i] = value_at(v, layer, at + i / WIDTH, i % WIDTH);
    sv_kv_put(&c->kv, &mm, layer, at, n, row[0], row[1]);
}

static float get(const sv_kv_rows *r, int row, int i)
{
    size_t at = (size_t)row * r->row_stride + (size_t)(i / DIM) * r->head_stride +
                (size_t)(i % DIM);
    float f;
    if (!r->f16)
        return ((const float *)r->data)[at];
    sv_kernels_get()->f16_to_f32(&f, (const uint16_t *)r->data + at, 1);
    return f;
}

static void check(const cache *c, int layer, int n)
{
    const sv_kv_rows r[2] = { sv_kv_keys(&c->kv, layer), sv_kv_values(&c->kv, layer) };
    for (int v = 0; v < 2; v++)
        for (int row = 0; row < n; row++)
            for (int i = 0; i < WIDTH; i++)
                CHECK(get(&r[v], row, i) == value_at(v, layer, row, i));
}

static void run(int f16)
{
    cache c = open_cache(f16), other = open_cache(f16);
    for (int l = 0; l < LAYERS; l++) {
        put(&c, l, 0, 17);
        put(&c, l, 17, 1);
        put(&c, l, 18, CTX - 18);
    }
    for (int l = 0; l < LAYERS; l++) {
        int n = CTX - l;
        void *kept = malloc((size_t)n * sv_kv_row_bytes(&c.kv));
        CHECK(kept != NULL);
        check(&c, l, CTX);
        sv_kv_save(&c.kv, l, n, kept);
        sv_kv_load(&other.kv, l, n, kept);
        free(kept);
    }
    for (int l = 0; l < LAYERS; l++) {
        const sv_kv_rows keys = sv_kv_keys(&other.kv, l);
        check(&other, l, CTX - l);
        CHECK(!l || get(&keys, CTX - l, 0) == 0);  /* not a row more */
    }
    sv_block_free(c.block, c.n_bytes);
    sv_block_free(other.block, other.n_bytes);
}

static void test_f16(void **state)
{
    (void)state;
    run(1);
}

static void test_f32(void **state)
{
    (void)state;
    run(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_f16), cmocka_unit_test(test_f32) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
