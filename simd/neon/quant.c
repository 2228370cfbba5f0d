/* SPDX-License-Identifier: MIT */
/* Activations to 8 bits, 32 of one token at a time. */
#include <math.h>
#include <string.h>

#include "simd/neon/neon.h"

static const float TINY = 1e-30f;

/* q[4 i ..] of values 4 i ..; returns their sum. */
static int quant_half(int8_t *q, const float *x, float32x4_t inverse)
{
    int32x4_t v[4];
    for (int i = 0; i < 4; i++)
        v[i] = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + 4 * i), inverse));
    int16x8_t low = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
    int16x8_t high = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));
    vst1q_s8(q, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
    return vaddvq_s32(vaddq_s32(vaddq_s32(v[0], v[1]), vaddq_s32(v[2], v[3])));
}

static void quant_token(sv_qtoken *o, const float *x)
{
    const uint32x4_t magnitude = vdupq_n_u32(0x7fffffff);
    uint32x4_t top = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++)
        top = vmaxq_u32(top, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + 4 * i)), magnitude));
    uint32_t bits = vmaxvq_u32(top);
    float amax;
    memcpy(&amax, &bits, 4);
    int finite = bits < 0x7f800000u, some = finite && amax >= TINY;
    int sum[3] = { 0, 0, 0 };
    memset(o, 0, sizeof *o);
    if (some) {
        float32x4_t inverse = vdupq_n_f32(127.0f / amax);
        sum[0] = quant_half(o->q, x, inverse);
        sum[1] = quant_half(o->q + 16, x + 16, inverse);
        sum[2] = sum[0] + sum[1];
    }
    o->scale = !finite ? NAN : some ? amax / 127.0f : 0.0f;
    for (int h = 0; h < 3; h++) {
        o->sum[h] = o->scale * (float)sum[h];
        o->off[h] = -128 * sum[h];
    }
}

void sv_quant_rows_neon(sv_qtoken *dst, const float *x, size_t ldx, int n, int k)
{
    for (int i = 0; i < k / SV_DEPTH; i++)
        for (int t = 0; t < n; t++, dst++)
            quant_token(dst, x + (size_t)t * ldx + (size_t)i * SV_DEPTH);
}
