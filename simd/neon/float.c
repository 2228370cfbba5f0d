/* SPDX-License-Identifier: MIT */
/* The vectors of float_body.h: 4 floats. */
#include <string.h>

#include "simd/neon/neon.h"

#define W 4
#define GEMM_COLS 4
#define PANEL_TILE 6
typedef float32x4_t vf;
#define vf_load(p) vld1q_f32(p)
#define vf_store(p, v) vst1q_f32(p, v)
#define vf_half(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#define vf_put_half(p, v) vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)))
#define vf_brain(p) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))
#define vf_set(x) vdupq_n_f32(x)
#define vf_first(v) vgetq_lane_f32(v, 0)
#define vf_add(a, b) vaddq_f32(a, b)
#define vf_sub(a, b) vsubq_f32(a, b)
#define vf_mul(a, b) vmulq_f32(a, b)
#define vf_div(a, b) vdivq_f32(a, b)
#define vf_max(x, v) vmaxq_f32(x, v)
#define vf_min(x, v) vminq_f32(x, v)
#define vf_fma(a, b, c) vfmaq_f32(c, a, b)
#define vf_abs(v) vabsq_f32(v)
#define vf_sum(v) vaddvq_f32(v)
#define vf_top(v) vmaxvq_f32(v)
#define vf_swap(v) vrev64q_f32(v)

static inline vf vf_part(const float *p, int n)
{
    float all[W] = { 0 };
    memcpy(all, p, (size_t)n * sizeof *p);
    return vld1q_f32(all);
}

static inline void vf_put_part(float *p, vf v, int n)
{
    float all[W];
    vst1q_f32(all, v);
    memcpy(p, all, (size_t)n * sizeof *p);
}

static inline vf vf_half_part(const uint16_t *p, int n)
{
    uint16_t all[W] = { 0 };
    memcpy(all, p, (size_t)n * sizeof *p);
    return vf_half(all);
}

static inline vf vf_shift_exponent(vf v, vf n)
{
    int32x4_t bits = vshlq_n_s32(vreinterpretq_s32_f32(n), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v), bits));
}

static inline vf vf_at_least(vf v, vf x, float low)
{
    uint32x4_t below = vcltq_f32(x, vdupq_n_f32(low));        /* NaN is not */
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), below));
}

static inline vf doubled(float32x2_t v)
{
    return vcombine_f32(vdup_lane_f32(v, 0), vdup_lane_f32(v, 1));
}
#define vf_twice(p) doubled(vld1_f32(p))
#define vf_twice_part(p, n) doubled(vget_low_f32(vf_part(p, (n) / 2)))

static inline vf vf_addsub(vf a, vf b, vf c)
{
    static const float sign[W] = { -1, 1, -1, 1 };
    return vfmaq_f32(vmulq_f32(c, vld1q_f32(sign)), a, b);
}

static inline void vf_put_brain(uint16_t *p, vf v)
{
    uint32x4_t bits = vreinterpretq_u32_f32(v), high = vshrq_n_u32(bits, 16);
    uint32x4_t odd = vandq_u32(high, vdupq_n_u32(1));
    uint32x4_t up = vaddq_u32(vaddq_u32(bits, odd), vdupq_n_u32(0x7fff));
    uint32x4_t quiet = vorrq_u32(high, vdupq_n_u32(0x40));
    vst1_u16(p, vmovn_u32(vbslq_u32(vceqq_f32(v, v), vshrq_n_u32(up, 16), quiet)));
}

#include "simd/float_body.h"

void sv_float_fill_neon(sv_kernels *k)
{
    fill_float(k);
}
