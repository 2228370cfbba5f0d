/* SPDX-License-Identifier: MIT */
/* Blocks to floats, 4 of them at once. */
#include "simd/neon/vec.h"

static inline vi vi_by_lane(vi v)
{
    static const int32_t down[LANES] = { 0, -4, -8, -12 };
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(v), vld1q_s32(down)));
}
#define half_all(h) vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h)))

#define W 4
typedef float32x4_t wide;
#define wide_all(v) (v)
#define wide_mul(a, b) vmulq_f32(a, b)
#define wide_add(a, b) vaddq_f32(a, b)
#define wide_fma(a, b, c) vfmaq_f32(c, a, b)
#define wide_load(p) vld1q_f32(p)
#define wide_store(p, v) vst1q_f32(p, v)

static inline wide wide_bytes(vi v, int j)
{
    int16x8_t half = j < 2 ? vmovl_s8(vget_low_s8(AS_BYTES(v))) : vmovl_high_s8(AS_BYTES(v));
    return vcvtq_f32_s32(j % 2 ? vmovl_high_s16(half) : vmovl_s16(vget_low_s16(half)));
}

#include "simd/dequant_body.h"

void sv_dequant_fill_neon(sv_kernels *k)
{
    fill_dequant(k);
}
