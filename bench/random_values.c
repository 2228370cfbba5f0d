/* SPDX-License-Identifier: MIT */
/* Random weights drawn as bytes of their type, far faster than quantising floats. */
#include <string.h>

#include "base/rng.h"
#include "bench/make_model.h"
#include "simd/kernels.h"

/* Nearly normal: the sum of four 16-bit uniforms, shifted and scaled. */
static float soft_normal(sv_rng *r)
{
    uint64_t u = sv_rng_next(r);
    uint32_t sum = (uint32_t)(u & 0xffff) + (uint32_t)(u >> 16 & 0xffff) +
                   (uint32_t)(u >> 32 & 0xffff) + (uint32_t)(u >> 48);
    return ((float)sum - 2 * 65535.0f) * (1 / 37837.2f); /* deviation of the sum: 65536 / sqrt(3) */
}

static void random_floats(void *out, sv_type type, size_t n, float deviation, sv_rng *r)
{
    const sv_kernels *k = sv_kernels_get();
    float x[256];
    for (size_t at = 0; at < n; at += 256) {
        size_t m = n - at < 256 ? n - at : 256;
        for (size_t i = 0; i < m; i++)
            x[i] = deviation * soft_normal(r);
        if (type == SV_F32)
            memcpy((float *)out + at, x, m * sizeof *x);
        else if (type == SV_F16)
            k->f32_to_f16((uint16_t *)out + at, x, m);
        else
            k->f32_to_bf16((uint16_t *)out + at, x, m);
    }
}

/* Where the half-precision fields of a block are, the deviation of a value when d is
 * 1 and the other bytes are random, and what the second field is in units of d so
 * that the mean is 0 (types without one get d of either sign). */
static const struct layout { int d_at, m_at; float deviation, m_per_d; } layouts[SV_N_TYPES] = {
    [SV_Q4_0] = { 0, -1, 4.63f, 0 },   [SV_Q4_1] = { 0, 2, 4.61f, -7.5f },
    [SV_Q5_0] = { 0, -1, 9.25f, 0 },   [SV_Q5_1] = { 0, 2, 9.23f, -15.5f },
    [SV_Q8_0] = { 0, -1, 73.9f, 0 },   [SV_IQ4_NL] = { 0, -1, 67.4f, 0 },
    [SV_Q2_K] = { 80, 82, 9.84f, 1.5f }, [SV_Q3_K] = { 108, -1, 43.3f, 0 },
    [SV_Q4_K] = { 0, 2, 169.2f, 7.5f }, [SV_Q5_K] = { 0, 2, 338.8f, 15.5f },
    [SV_Q6_K] = { 208, -1, 1366.0f, 0 },
};

/* In the types with scale and minimum per group both are drawn equal, so that the
 * minimum centres the group's values. */
static void centre_groups(uint8_t *block, sv_type type)
{
    if (type == SV_Q2_K)
        for (int i = 0; i < 16; i++)
            block[i] = (uint8_t)((block[i] & 15) * 17);
    if (type == SV_Q4_K || type == SV_Q5_K)
        for (int i = 0; i < 4; i++) {
            block[8 + i] = block[4 + i];
            block[12 + i] = (uint8_t)((block[12 + i] & 15) * 17);
        }
}

static void random_blocks(uint8_t *out, sv_type type, size_t n_blocks, float deviation, sv_rng *r)
{
    const sv_kernels *k = sv_kernels_get();
    size_t size = (size_t)sv_type_get(type)->block_bytes;
    const struct layout *l = &layouts[type];
    for (size_t i = 0; i < n_blocks * size; i += 8) {
        uint64_t u = sv_rng_next(r);
        memcpy(out + i, &u, n_blocks * size - i < 8 ? n_blocks * size - i : 8);
    }
    for (uint8_t *b = out; n_blocks--; b += size) {
        uint64_t u = sv_rng_next(r);
        float d = deviation / l->deviation * (0.75f + (float)(u & 0xff) * (0.5f / 256));
        if (l->m_at < 0 && (u & 0x100))
            d = -d;
        float fields[2] = { d, d * l->m_per_d };
        uint16_t half[2];
        k->f32_to_f16(half, fields, 2);
        memcpy(b + l->d_at, &half[0], 2);
        if (l->m_at >= 0)
            memcpy(b + l->m_at, &half[1], 2);
        centre_groups(b, type);
    }
}

void sv_random_values(void *out, sv_type type, size_t n, float deviation, uint64_t seed)
{
    sv_rng r = { seed };
    if (type == SV_F32 || type == SV_F16 || type == SV_BF16)
        random_floats(out, type, n, deviation, &r);
    else
        random_blocks(out, type, n / (size_t)sv_type_get(type)->block, deviation, &r);
}
