/* SPDX-License-Identifier: MIT */
/* Dot products without an instruction for them: products in 16 bits (they fit: at most
 * 128 * 127), pairs of them added into 32-bit lanes; a pair is half a row's four, so a vector
 * holds two rows and pairs are added across at the end. */
#ifndef SV_NEON_DOT_H
#define SV_NEON_DOT_H

#include "simd/neon/vec.h"

/* Half-way sums of four rows: [0] of rows 0 and 1, [1] of rows 2 and 3. */
typedef struct two_sums { int32x4_t s[2]; } two_sums;

static inline two_sums dot_more(two_sums a, vi w, int8x8_t four)
{
    a.s[0] = vpadalq_s16(a.s[0], vmull_s8(vget_low_s8(AS_BYTES(w)), four));
    a.s[1] = vpadalq_s16(a.s[1], vmull_s8(vget_high_s8(AS_BYTES(w)), four));
    return a;
}

static inline vi dot_end(two_sums a)
{
    return vpaddq_s32(a.s[0], a.s[1]);
}

#endif
