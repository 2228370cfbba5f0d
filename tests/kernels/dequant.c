/* SPDX-License-Identifier: MIT */
/* Blocks to floats: every set and type against ref (which ref_dequant.c measures), to the
 * last bit, at every alignment, before a page that may not be touched. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "base/type.h"
#include "guard.h"
#include "simd/kernels.h"

enum { MAX_BLOCKS = 5, MAX_VALUES = MAX_BLOCKS * 256, MAX_BYTES = MAX_BLOCKS * 256, SPARE = 4 };

static sv_rng rng;
static guard *blocks, *floats;
static uint8_t bytes[MAX_BYTES];

/* Zeros, the smallest, the largest, infinities and NaN, loud ones too. */
static const uint16_t odd_halves[] = { 0, 0x8000, 1, 0x8001, 0x03ff, 0x7bff, 0xfbff, 0x7c00,
                                       0xfc00, 0x7e00, 0x7c01, 0xfe12 };

static void put_half(uint8_t *to, int odd)
{
    uint16_t h = (uint16_t)sv_rng_next(&rng);         /* any: one in thirty-two has no number */
    if (odd)
        h = odd_halves[sv_rng_below(&rng, sizeof odd_halves / sizeof *odd_halves)];
    memcpy(to, &h, sizeof h);
}

/* Any bytes are blocks. Every other time all 0xff or 0x80 but for the scales. */
static void random_blocks(int type, int n_blocks, int round)
{
    const sv_type_info *t = sv_type_get((uint32_t)type);
    const sv_block_shape *s = &sv_block_shapes[type];
    for (int b = 0; b < n_blocks; b++) {
        uint8_t *p = bytes + b * t->block_bytes;
        for (int i = 0; i < t->block_bytes; i++)
            p[i] = round % 4 == 1 ? 0xff : round % 4 == 3 ? 0x80 : (uint8_t)sv_rng_next(&rng);
        for (int h = 0; h < s->front + s->back; h++)
            put_half(p + 2 * h + (h < s->front ? 0 : 4 * s->words), round & 2);
    }
}

/* No two processors agree on which NaN comes out of two; all else has the same bits. */
static int same(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i])))
            return 0;
    return 1;
}

/* The bytes `spare` from the forbidden page, the floats as many floats from another. */
static void one_case(const sv_kernels *k, int type, int n_blocks, int spare)
{
    static float want[MAX_VALUES];
    const sv_type_info *t = sv_type_get((uint32_t)type);
    int n_bytes = n_blocks * t->block_bytes, n = n_blocks * t->block;
    uint8_t *x = guard_end(blocks, n_bytes + spare, 1);
    float *y = guard_end(floats, n + spare, sizeof *y);
    memcpy(x, bytes, (size_t)n_bytes);
    for (int i = 0; i < n + spare; i++)
        y[i] = 77;
    sv_kernels_for("c")->dequant[type](want, bytes, (size_t)n);
    k->dequant[type](y, x, (size_t)n);
    if (!same(want, y, n))
        fail_msg("%s: %d blocks of %s differ from ref's", k->isa, n_blocks, t->name);
    for (int i = n; i < n + spare; i++)
        CHECK(y[i] == 77);
}

static void test_every_set_has_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; sv_isa_name(i); i++) {
        const sv_kernels *k = sv_kernels_for(sv_isa_name(i));
        for (int type = 0; k && type < SV_KERNEL_TYPES; type++)
            for (int round = 0; sv_block_shapes[type].slabs && round < 64; round++) {
                random_blocks(type, MAX_BLOCKS, round);
                for (int n_blocks = 0; n_blocks <= MAX_BLOCKS; n_blocks++)
                    one_case(k, type, n_blocks, round % SPARE);
            }
    }
}

int main(void)
{
    rng.state = check_seed();
    blocks = guard_new(MAX_BYTES + SPARE);
    floats = guard_new((MAX_VALUES + SPARE) * sizeof(float));
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_set_has_the_same_bits) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(blocks), guard_free(floats);
    return failed;
}
