/* SPDX-License-Identifier: MIT */
/* One half-precision number to a float: exact, a NaN becomes quiet and keeps its
 * payload, as the processors' own instructions do. */
#ifndef SV_HALF_H
#define SV_HALF_H

#include <stdint.h>
#include <string.h>

static inline float sv_float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t sv_bits_of_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float sv_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
    if (exponent == 0)            /* zero and subnormals: mantissa * 2^-24 is exact */
        return sv_float_of_bits(sign | sv_bits_of_float((float)mantissa * 0x1p-24f));
    if (exponent == 31)
        return sv_float_of_bits(sign | 0x7f800000u | (mantissa ? 0x400000u : 0) | mantissa << 13);
    return sv_float_of_bits(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

/* The half stored at p, which may be unaligned (block scales). */
static inline float sv_half_at(const uint8_t *p)
{
    return sv_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

#endif
