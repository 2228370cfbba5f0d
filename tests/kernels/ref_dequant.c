/* SPDX-License-Identifier: MIT */
/* ref/dequant.c against a second reading of the formats (FORMATS.md, section 3), in the
 * other direction: here every stored bit is carried to the value it belongs to. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "base/type.h"
#include "simd/half.h"
#include "simd/kernels.h"

enum { MAX_BLOCK = 256, MAX_BYTES = 256 };

/* The fields of a block: value = scale * q - min, or scale * table[q]. */
typedef struct fields {
    int q[MAX_BLOCK];             /* as stored, unsigned                 */
    double scale[MAX_BLOCK];      /* everything that multiplies q        */
    double min[MAX_BLOCK];        /* subtracted                          */
} fields;

static const int iq4_nl[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                1, 13, 25, 38, 53, 69, 89, 113 };

/* ORs bits of byte at b into values: field k (width bits, from the lowest) goes to value
 * to + k * step, shifted up. */
static void scatter(fields *f, uint8_t b, int width, int to, int step, int up)
{
    for (int k = 0; k < 8 / width; k++)
        f->q[to + k * step] |= (b >> k * width & ((1 << width) - 1)) << up;
}

static void fill_scale(fields *f, int from, int n, double scale, double min)
{
    for (int i = from; i < from + n; i++) {
        f->scale[i] = scale;
        f->min[i] = min;
    }
}

/* Blocks of 32. nibbles, high: offsets in the block, high 0: no fifth bits. */
static void read_small(fields *f, const uint8_t *b, int nibbles, int high, int has_min)
{
    for (int j = 0; j < 16; j++)
        scatter(f, b[nibbles + j], 4, j, 16, 0);
    for (int j = 0; high && j < 4; j++)
        scatter(f, b[high + j], 1, 8 * j, 1, 4);
    fill_scale(f, 0, 32, sv_half_at(b), has_min ? -sv_half_at(b + 2) : 0);
}

/* 64 bytes of 2-bit fields, each byte's four 32 values apart. */
static void scatter_pairs(fields *f, const uint8_t *b, int up)
{
    for (int j = 0; j < 64; j++)
        scatter(f, b[j], 2, j / 32 * 128 + j % 32, 32, up);
}

static void read_q2_k(fields *f, const uint8_t *b)
{
    scatter_pairs(f, b + 16, 0);
    for (int j = 0; j < 16; j++)
        fill_scale(f, 16 * j, 16, (double)sv_half_at(b + 80) * (b[j] % 16),
                   (double)sv_half_at(b + 82) * (b[j] / 16));
}

/* Twelve bytes hold sixteen scales: low halves of 0..7, then of 8..15 above them; the
 * last four bytes hold the upper pairs, byte k those of k, k + 4, k + 8, k + 12. */
static void read_q3_k(fields *f, const uint8_t *b)
{
    int scale[16] = { 0 };
    scatter_pairs(f, b + 32, 0);
    for (int j = 0; j < 32; j++)
        scatter(f, b[j], 1, j, 32, 2);
    for (int j = 0; j < 8; j++) {
        scale[j] |= b[96 + j] % 16;
        scale[j + 8] |= b[96 + j] / 16;
    }
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            scale[k + 4 * j] |= (b[104 + k] >> 2 * j & 3) << 4;
    for (int j = 0; j < 16; j++) {
        double d = (double)sv_half_at(b + 108) * (scale[j] - 32);
        fill_scale(f, 16 * j, 16, d, 4 * d);
    }
}

/* Q4_K, Q5_K: bytes 0..3 hold scales 0..3, bytes 4..7 minima 0..3, six bits each; bytes
 * 8..11 the low halves of scales and minima 4..7, whose upper pairs are the top bits of
 * bytes 0..3 and 4..7. */
static void read_scales(fields *f, const uint8_t *b)
{
    const uint8_t *s = b + 4;
    for (int g = 0; g < 4; g++) {
        double d = sv_half_at(b), m = sv_half_at(b + 2);
        fill_scale(f, 32 * g, 32, d * (s[g] % 64), m * (s[4 + g] % 64));
        fill_scale(f, 32 * (g + 4), 32, d * (s[8 + g] % 16 + s[g] / 64 * 16),
                   m * (s[8 + g] / 16 + s[4 + g] / 64 * 16));
    }
}

static void read_q4_k(fields *f, const uint8_t *b)
{
    for (int j = 0; j < 128; j++)
        scatter(f, b[16 + j], 4, j / 32 * 64 + j % 32, 32, 0);
    read_scales(f, b);
}

static void read_q5_k(fields *f, const uint8_t *b)
{
    for (int j = 0; j < 128; j++)
        scatter(f, b[48 + j], 4, j / 32 * 64 + j % 32, 32, 0);
    for (int j = 0; j < 32; j++)
        scatter(f, b[16 + j], 1, j, 32, 4);
    read_scales(f, b);
}

static void read_q6_k(fields *f, const uint8_t *b)
{
    for (int j = 0; j < 128; j++)
        scatter(f, b[j], 4, j / 64 * 128 + j % 64, 64, 0);
    scatter_pairs(f, b + 128, 4);
    for (int j = 0; j < 16; j++) {
        double d = (double)sv_half_at(b + 208) * (int8_t)b[192 + j];
        fill_scale(f, 16 * j, 16, d, 32 * d);
    }
}

static void subtract(fields *f, double q)
{
    for (int i = 0; i < 32; i++)
        f->min[i] += q * f->scale[i];
}

static void read_block(fields *f, sv_type type, const uint8_t *b)
{
    memset(f, 0, sizeof *f);
    switch (type) {
    case SV_Q4_0: read_small(f, b, 2, 0, 0); subtract(f, 8); break;
    case SV_Q4_1: read_small(f, b, 4, 0, 1); break;
    case SV_Q5_0: read_small(f, b, 6, 2, 0); subtract(f, 16); break;
    case SV_Q5_1: read_small(f, b, 8, 4, 1); break;
    case SV_Q2_K: read_q2_k(f, b); break;
    case SV_Q3_K: read_q3_k(f, b); break;
    case SV_Q4_K: read_q4_k(f, b); break;
    case SV_Q5_K: read_q5_k(f, b); break;
    case SV_Q6_K: read_q6_k(f, b); break;
    case SV_IQ4_NL:
        read_small(f, b, 2, 0, 0);
        for (int i = 0; i < 32; i++)
            f->q[i] = iq4_nl[f->q[i]];
        break;
    default:                      /* Q8_0 */
        for (int i = 0; i < 32; i++)
            f->q[i] = (int8_t)b[2 + i];
        fill_scale(f, 0, 32, sv_half_at(b), 0);
    }
}

/* Where a block has halves; -1 ends. */
static const struct { sv_type type; int halves[3]; } layouts[] = {
    { SV_Q4_0, { 0, -1 } },   { SV_Q4_1, { 0, 2, -1 } },   { SV_Q5_0, { 0, -1 } },
    { SV_Q5_1, { 0, 2, -1 } }, { SV_Q8_0, { 0, -1 } },     { SV_IQ4_NL, { 0, -1 } },
    { SV_Q2_K, { 80, 82, -1 } }, { SV_Q3_K, { 108, -1 } }, { SV_Q4_K, { 0, 2, -1 } },
    { SV_Q5_K, { 0, 2, -1 } }, { SV_Q6_K, { 208, -1 } },
};

static void random_block(uint8_t *b, int n_bytes, const int *halves, sv_rng *r)
{
    for (int i = 0; i < n_bytes; i++)
        b[i] = (uint8_t)sv_rng_next(r);
    for (; *halves >= 0; halves++)          /* finite: exponent below 31 */
        b[*halves + 1] = (uint8_t)((b[*halves + 1] & 0x83) | sv_rng_below(r, 31) << 2);
}

static void check_type(sv_type type, const int *halves, sv_rng *r)
{
    const sv_kernels *k = sv_kernels_for("c");
    const sv_type_info *info = sv_type_get(type);
    for (int round = 0; round < 300; round++) {
        uint8_t bytes[1 + 2 * MAX_BYTES], *b = bytes + 1;        /* at an odd address */
        float got[2 * MAX_BLOCK + 1];
        fields f;
        random_block(b, info->block_bytes, halves, r);
        random_block(b + info->block_bytes, info->block_bytes, halves, r);
        got[2 * info->block] = 77;
        k->dequant[type](got, b, 2 * (size_t)info->block);
        for (int i = 0; i < 2 * info->block; i++) {
            if (i % info->block == 0)
                read_block(&f, type, b + (i ? info->block_bytes : 0));
            double a = f.scale[i % info->block] * f.q[i % info->block], m = f.min[i % info->block];
            /* A rounding of either product and one of the difference. */
            CHECK(fabs(got[i] - (a - m)) <= 0x1p-23 * (fabs(a) + fabs(m)));
        }
        CHECK(got[2 * info->block] == 77);
    }
}

static void test_quantised_types(void **state)
{
    (void)state;
    sv_rng r = { check_seed() };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        check_type(layouts[i].type, layouts[i].halves, &r);
}

static void test_float_types(void **state)
{
    (void)state;
    static const uint8_t halves[] = { 0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00 };
    static const uint8_t brains[] = { 0x80, 0x3f, 0x20, 0xc0 };
    const sv_kernels *k = sv_kernels_for("c");
    const float x[] = { 1.5f, -2, 1e-40f };
    float y[3];
    k->dequant[SV_F16](y, halves, 3);
    CHECK(y[0] == 1 && y[1] == -2 && y[2] == 0x1p-24f);
    k->dequant[SV_BF16](y, brains, 2);
    CHECK(y[0] == 1 && y[1] == -2.5f);
    k->dequant[SV_F32](y, x, 3);
    assert_memory_equal(x, y, sizeof x);
}

/* Every type that the library says it runs has a kernel, and no other. */
static void test_table_is_complete(void **state)
{
    (void)state;
    for (uint32_t t = 0; t < SV_KERNEL_TYPES; t++)
        CHECK((sv_kernels_for("c")->dequant[t] != NULL) == (sv_type_get(t) != NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantised_types),
        cmocka_unit_test(test_float_types),
        cmocka_unit_test(test_table_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
