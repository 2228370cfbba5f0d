/* SPDX-License-Identifier: MIT */
/* ref/convert.c: every half and every brain float, and every way to round to one. */
#include "check.h"

#include <math.h>

#include "simd/half.h"
#include "simd/kernels.h"

static const sv_kernels *ref;

/* The value by the standard's own formula. */
static double value_of_half(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return mantissa ? NAN : sign * INFINITY;
    return sign * ldexp(exponent ? 1024 + mantissa : mantissa, (exponent ? exponent : 1) - 25);
}

static float f16_to_f32(uint16_t h)
{
    float f;
    ref->f16_to_f32(&f, &h, 1);
    return f;
}

static uint16_t f32_to_f16(float f)
{
    uint16_t h;
    ref->f32_to_f16(&h, &f, 1);
    return h;
}

static uint16_t f32_to_bf16(float f)
{
    uint16_t h;
    ref->f32_to_bf16(&h, &f, 1);
    return h;
}

static void test_every_half_widens_exactly_and_returns(void **state)
{
    (void)state;
    for (int h = 0; h < 65536; h++) {
        double want = value_of_half((uint16_t)h);
        float got = f16_to_f32((uint16_t)h);
        if (isnan(want)) {
            CHECK(isnan(got) && isnan(f16_to_f32(f32_to_f16(got))));
            continue;
        }
        CHECK(got == want && !signbit(got) == !(h & 0x8000));
        CHECK(f32_to_f16(got) == h);
    }
}

/* Between two neighbours: the midpoint goes to the even one, anything beside it to the
 * nearer. Infinity is the neighbour of 65504 as if it were 65536. */
static void test_halves_round_to_nearest_even(void **state)
{
    (void)state;
    for (int h = 0; h < 0x7c00; h++) {
        double low = value_of_half((uint16_t)h);
        double high = h == 0x7bff ? 65536 : value_of_half((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2);
        CHECK(f32_to_f16(middle) == (h & 1 ? h + 1 : h));
        CHECK(f32_to_f16(nextafterf(middle, 0)) == h);
        CHECK(f32_to_f16(nextafterf(middle, INFINITY)) == h + 1);
        CHECK(f32_to_f16(-middle) == (0x8000 | (h & 1 ? h + 1 : h)));
    }
    CHECK(f32_to_f16(3e38f) == 0x7c00 && f32_to_f16(-INFINITY) == 0xfc00);
    CHECK(f32_to_f16(1e-45f) == 0 && f32_to_f16(-1e-45f) == 0x8000);
}

static void test_every_brain_float(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h;
        float f;
        ref->bf16_to_f32(&f, &in, 1);
        CHECK(sv_bits_of_float(f) == h << 16);
        if (isnan(f)) {
            CHECK(f32_to_bf16(f) == (h | 0x40));
            continue;
        }
        CHECK(f32_to_bf16(f) == h);
        if (isinf(f))
            continue;
        CHECK(f32_to_bf16(sv_float_of_bits(h << 16 | 0x7fff)) == h);
        CHECK(f32_to_bf16(sv_float_of_bits(h << 16 | 0x8000)) == (h & 1 ? h + 1 : h));
        CHECK(f32_to_bf16(sv_float_of_bits(h << 16 | 0x8001)) == h + 1);
    }
    /* A NaN whose payload lies in the dropped bits must not become infinity. */
    CHECK(f32_to_bf16(sv_float_of_bits(0x7f800001)) == 0x7fc0);
    CHECK(f32_to_f16(sv_float_of_bits(0x7f800001)) == 0x7e00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half_widens_exactly_and_returns),
        cmocka_unit_test(test_halves_round_to_nearest_even),
        cmocka_unit_test(test_every_brain_float),
    };
    ref = sv_kernels_for("c");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
