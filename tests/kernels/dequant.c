/* SPDX-License-Identifier: MIT */
/* Rows of weights as floats: every set and type against ref (which ref_dequant.c measures), to
 * the last bit, and their products with floats, at every alignment, before a page that may
 * not be touched. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "base/type.h"
#include "guard.h"
#include "simd/kernels.h"

enum { MAX_BLOCKS = 5, MAX_VALUES = MAX_BLOCKS * 256, MAX_BYTES = MAX_BLOCKS * 256, SPARE = 4 };

static sv_rng rng;
static guard *blocks, *floats;
static _Alignas(4) uint8_t bytes[MAX_BYTES];

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

/* A sum of n products in any order errs by at most n roundings of their magnitudes' sum, and
 * is infinite or not a number in any order. */
static void check_sum(const char *isa, int type, int n, float got, const float *w, const float *x)
{
    double want = 0, magnitude = 0;
    for (int i = 0; i < n; i++) {
        want += (double)w[i] * x[i];
        magnitude += fabs((double)w[i] * x[i]);
    }
    int good = isfinite(want) ? fabs(got - want) <= (n + 1) * 0x1p-24 * magnitude
                              : isnan(want) ? isnan(got) : got == (float)want;
    if (!good)
        fail_msg("%s: %d values of %s: %.9g instead of %.9g", isa, n,
                 sv_type_get((uint32_t)type)->name, (double)got, want);
}

static void one_dot(const sv_kernels *k, int type, int n, int spare)
{
    static float w[MAX_VALUES];
    size_t n_bytes = sv_type_bytes((sv_type)type, (size_t)n);
    uint8_t *row = guard_end(blocks, (int)n_bytes + spare, 1);
    float *x = guard_end(floats, n + spare, sizeof *x);
    memcpy(row, bytes, n_bytes);
    for (int i = 0; i < n; i++)
        x[i] = (float)sv_rng_normal(&rng);
    sv_kernels_for("c")->dequant[type](w, bytes, (size_t)n);
    check_sum(k->isa, type, n, k->dot_row[type](row, x, (size_t)n), w, x);
}

static void dots_of_blocks(const sv_kernels *k, int type)
{
    for (int round = 0; round < 64; round++) {
        random_blocks(type, MAX_BLOCKS, round);
        for (int n_blocks = 0; n_blocks <= MAX_BLOCKS; n_blocks++)
            one_dot(k, type, n_blocks * sv_type_get((uint32_t)type)->block, round % SPARE);
    }
}

/* The products of a float type are to stay finite: exponents near one's. */
static void dots_of_floats(const sv_kernels *k, int type)
{
    for (int i = 0; i < 300; i++) {
        float v = (float)sv_rng_normal(&rng);
        if (type == SV_F32)
            memcpy(bytes + 4 * i, &v, 4);
        else if (type == SV_F16)
            k->f32_to_f16((uint16_t *)(void *)bytes + i, &v, 1);
        else
            k->f32_to_bf16((uint16_t *)(void *)bytes + i, &v, 1);
    }
    for (int n = 0; n < 300; n++)
        one_dot(k, type, n, n % SPARE);
}

static void test_every_set_multiplies_rows(void **state)
{
    (void)state;
    for (int i = 0; sv_isa_name(i); i++) {
        const sv_kernels *k = sv_kernels_for(sv_isa_name(i));
        for (int type = 0; k && type < SV_KERNEL_TYPES; type++)
            if (sv_block_shapes[type].slabs)
                dots_of_blocks(k, type);
            else if (sv_type_get((uint32_t)type))
                dots_of_floats(k, type);
    }
}

int main(void)
{
    rng.state = check_seed();
    blocks = guard_new(MAX_BYTES + SPARE);
    floats = guard_new((MAX_VALUES + SPARE) * sizeof(float));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_set_has_the_same_bits),
        cmocka_unit_test(test_every_set_multiplies_rows),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(blocks), guard_free(floats);
    return failed;
}
