/* SPDX-License-Identifier: MIT */
/* Sixteen rows of blocks or floats side by side. */
#include "simd/neon/neon.h"

static inline uint32x4_t row(const uint8_t *p)
{
    return vreinterpretq_u32_u8(vld1q_u8(p));
}

/* Words first and second of the pairs side by side. */
static inline void put(uint8_t *dst, uint32x4_t ab, uint32x4_t cd)
{
    uint64x2_t a = vreinterpretq_u64_u32(ab), c = vreinterpretq_u64_u32(cd);
    vst1q_u8(dst, vreinterpretq_u8_u64(vzip1q_u64(a, c)));
    vst1q_u8(dst + 64, vreinterpretq_u8_u64(vzip2q_u64(a, c)));
}

static inline void transpose(uint8_t *dst, const uint8_t *const *src)
{
    uint32x4_t a = row(src[0]), b = row(src[1]), c = row(src[2]), d = row(src[3]);
    put(dst, vzip1q_u32(a, b), vzip1q_u32(c, d));
    put(dst + 128, vzip2q_u32(a, b), vzip2q_u32(c, d));
}
#define prefetch(p) __builtin_prefetch(p)

#include "simd/pack_body.h"

void sv_pack_neon(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                  const sv_block_shape *s)
{
    pack(dst, src, row_bytes, n_rows, n_blocks, s);
}

void sv_panel_f32_neon(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    panel_f32(dst, x, ldx, n_rows, depth);
}
