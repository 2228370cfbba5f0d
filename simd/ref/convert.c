/* SPDX-License-Identifier: MIT */
/* Half and brain floats. Narrowing rounds to nearest, ties to even; a NaN stays a
 * NaN (quiet). */
#include "simd/half.h"
#include "simd/ref/ref.h"

/* Drops the n low bits of x. */
static uint32_t round_off(uint32_t x, int n)
{
    uint32_t half = 1u << (n - 1), odd = x >> n & 1;
    return (x + half - 1 + odd) >> n;
}

static uint16_t half_of_float(float f)
{
    uint32_t bits = sv_bits_of_float(f), sign = bits >> 16 & 0x8000, x = bits & 0x7fffffff;
    if (x > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (x >> 13 & 0x3ff));
    if (x >= 0x47800000)                  /* 65536 and more: infinity */
        return (uint16_t)(sign | 0x7c00);
    if (x >= 0x38800000)                  /* a carry may reach the exponent: 65520 gives infinity */
        return (uint16_t)(sign | round_off(x - ((127 - 15) << 23), 13));
    int shift = 126 - (int)(x >> 23);     /* subnormal: a multiple of 2^-24 */
    if (shift > 25)
        return (uint16_t)sign;
    return (uint16_t)(sign | round_off((x & 0x7fffff) | 0x800000, shift));
}

static uint16_t bf16_of_float(float f)
{
    uint32_t bits = sv_bits_of_float(f);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)round_off(bits, 16);
}

void sv_f16_to_f32_ref(float *y, const uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = sv_half_to_float(x[i]);
}

void sv_f32_to_f16_ref(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = half_of_float(x[i]);
}

void sv_bf16_to_f32_ref(float *y, const uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = sv_float_of_bits((uint32_t)x[i] << 16);
}

void sv_f32_to_bf16_ref(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_of_float(x[i]);
}
