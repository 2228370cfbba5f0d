/* SPDX-License-Identifier: MIT */
/* The vectors of expand_body.h: 4 rows at once. Slabs hold signed values. Used by all NEON
 * sets; each brings its own vi_dot. */
#ifndef SV_NEON_VEC_H
#define SV_NEON_VEC_H

#include <string.h>

#include "simd/neon/neon.h"

#define LANES 4
typedef int32x4_t vi;
typedef float32x4_t vf;
#define AS_BYTES(v) vreinterpretq_s8_s32(v)
#define FROM_BYTES(v) vreinterpretq_s32_s8(v)
#define vi_load(p) FROM_BYTES(vld1q_s8((const int8_t *)(p)))
#define vi_store(p, v) vst1q_s8((int8_t *)(p), AS_BYTES(v))
#define vi_zero() vdupq_n_s32(0)
#define vi_set(x) vdupq_n_s32(x)
#define vi_set8(x) FROM_BYTES(vdupq_n_s8((int8_t)(x)))
#define vi_and(a, b) vandq_s32(a, b)
#define vi_or(a, b) vorrq_s32(a, b)
#define vi_add(a, b) vaddq_s32(a, b)
#define vi_sub(a, b) vsubq_s32(a, b)
#define vi_srl(v, n) ((vi)((uint32x4_t)(v) >> (uint32_t)(n)))
#define vi_sll(v, n) ((vi)((uint32x4_t)(v) << (uint32_t)(n)))
#define vi_sra(v, n) ((vi)((v) >> (n)))
#define vi_add8(a, b) FROM_BYTES(vaddq_s8(AS_BYTES(a), AS_BYTES(b)))
#define vi_float(v) vcvtq_f32_s32(v)
#define vf_set(x) vdupq_n_f32(x)
#define vf_load(p) vld1q_f32(p)
#define vf_store(p, v) vst1q_f32(p, v)
#define vf_mul(a, b) vmulq_f32(a, b)
#define vf_fma(a, b, c) vfmaq_f32(c, a, b)
#define vf_neg(a) vnegq_f32(a)
#define prefetch(p) __builtin_prefetch(p)

static inline vi vi_flag8(vi v, vi mask, vi x)
{
    return vandq_s32(vreinterpretq_s32_u8(vtstq_s8(AS_BYTES(v), AS_BYTES(mask))), x);
}

static inline vf vi_half(const uint8_t *p)
{
    uint16x4_t bits;
    memcpy(&bits, p, sizeof bits);
    return vcvt_f32_f16(vreinterpret_f16_u16(bits));
}

static inline vi vi_iq4nl(vi v)
{
    static const int8_t values[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38,
                                       53, 69, 89, 113 };
    return FROM_BYTES(vqtbl1q_s8(vld1q_s8(values), vreinterpretq_u8_s32(v)));
}

#define STORED(zero) (-(zero))
#define STORED_SIGNED 0

static inline vi exact(vi dot, const sv_qtoken *x, int part, int form, int zero)
{
    (void)x, (void)part, (void)form, (void)zero;
    return dot;
}

#endif
