/* SPDX-License-Identifier: MIT */
/* One block each; quantize.c calls them in turn. */
#ifndef SV_QUANTIZE_BLOCK_H
#define SV_QUANTIZE_BLOCK_H

#include <stdint.h>

#include "simd/half.h"
#include "simd/ref/ref.h"

/* Stores f as half at p, the largest one if it is larger still, and returns what will
 * be read back. */
static inline float sv_put_half(uint8_t *p, float f)
{
    uint16_t h;
    f = f < -65504.0f ? -65504.0f : f > 65504.0f ? 65504.0f : f;
    sv_f32_to_f16_ref(&h, &f, 1);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
    return sv_half_to_float(h);
}

void sv_quantize_q2_k(uint8_t *out, const float *x);
void sv_quantize_q3_k(uint8_t *out, const float *x);
void sv_quantize_q4_k(uint8_t *out, const float *x);
void sv_quantize_q5_k(uint8_t *out, const float *x);
void sv_quantize_q6_k(uint8_t *out, const float *x);

#endif
