/* SPDX-License-Identifier: MIT */
/* Floats to blocks: the types with blocks of 32, and the choice among all. */
#include "tensor/quantize.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "tensor/quantize_block.h"
#include "tensor/quantize_fit.h"

/* What an error weighs: a typical value 1, a large one in proportion to its size. */
static void weigh(float *w, const float *x, int n)
{
    float square = 0;
    for (int i = 0; i < n; i++)
        square += x[i] * x[i];
    float rms = sqrtf(square / (float)n);
    for (int i = 0; i < n; i++)
        w[i] = rms + fabsf(x[i]);
}

/* Byte j: value j low, value j + 16 high; the fifth bits, if any, in a word. */
static void pack_32(uint8_t *nibbles, uint8_t *fifth, const int q[32])
{
    uint32_t bits = 0;
    for (int j = 0; j < 32; j++)
        bits |= (uint32_t)(q[j] >> 4 & 1) << j;
    for (int j = 0; j < 16; j++)
        nibbles[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
    for (int j = 0; fifth && j < 4; j++)
        fifth[j] = (uint8_t)(bits >> 8 * j);
}

/* Q4_0 and Q5_0: half is 8 or 16, which stands for 0. */
static void quantize_centred(uint8_t *out, const float *x, int half)
{
    float w[32];
    int q[32];
    weigh(w, x, 32);
    float d = sv_put_half(out, sv_fit_scale(x, w, 32, -half, half - 1));
    sv_round_all(q, x, 32, d, 0, -half, half - 1);
    for (int i = 0; i < 32; i++)
        q[i] += half;
    pack_32(half == 8 ? out + 2 : out + 6, half == 8 ? NULL : out + 2, q);
}

static void quantize_q4_0(uint8_t *out, const float *x)
{
    quantize_centred(out, x, 8);
}

static void quantize_q5_0(uint8_t *out, const float *x)
{
    quantize_centred(out, x, 16);
}

/* Q4_1 and Q5_1: top is 15 or 31. */
static void quantize_offset(uint8_t *out, const float *x, int top)
{
    float w[32];
    int q[32];
    weigh(w, x, 32);
    sv_affine a = sv_fit_affine(x, w, 32, top, 0);
    a.d = sv_put_half(out, a.d);
    a.m = sv_put_half(out + 2, a.m);
    sv_round_all(q, x, 32, a.d, a.m, 0, top);
    pack_32(top == 15 ? out + 4 : out + 8, top == 15 ? NULL : out + 4, q);
}

static void quantize_q4_1(uint8_t *out, const float *x)
{
    quantize_offset(out, x, 15);
}

static void quantize_q5_1(uint8_t *out, const float *x)
{
    quantize_offset(out, x, 31);
}

/* 255 steps leave nothing to search for. */
static void quantize_q8_0(uint8_t *out, const float *x)
{
    float top = 0;
    int q[32];
    for (int i = 0; i < 32; i++)
        top = fmaxf(top, fabsf(x[i]));
    float d = sv_put_half(out, top / 127);
    sv_round_all(q, x, 32, d, 0, -127, 127);
    for (int i = 0; i < 32; i++)
        out[2 + i] = (uint8_t)q[i];
}

/* ---- IQ4_NL: sixteen steps that lie closer together around 0 ------------------ */

static const int8_t steps[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};

static int nearest_step(float v)
{
    int i = 0;
    while (i < 15 && v > 0.5f * (float)(steps[i] + steps[i + 1]))
        i++;
    return i;
}

/* The best d for the steps that 1 / d = inverse chooses; *gain: what it explains of the
 * weighted sum of squares. Eight values climb the steps side by side. */
static float try_steps(const float *x, const float *w, float inverse, float *gain)
{
    enum { LANES = 8 };
    float xq = 0, qq = 0;
    for (int i = 0; i < 32; i += LANES) {
        float q[LANES];
        for (int l = 0; l < LANES; l++)
            q[l] = steps[0];
        for (int s = 0; s < 15; s++) {
            float edge = 0.5f * (float)(steps[s] + steps[s + 1]),
                  gap = (float)(steps[s + 1] - steps[s]);
            for (int l = 0; l < LANES; l++)
                q[l] += x[i + l] * inverse > edge ? gap : 0;
        }
        for (int l = 0; l < LANES; l++) {
            xq += w[i + l] * q[l] * x[i + l];
            qq += w[i + l] * q[l] * q[l];
        }
    }
    *gain = xq * xq / qq;
    return xq / qq;
}

static float fit_steps(const float *x, const float *w)
{
    enum { TRIES = 4 };
    float top = 0, best = 0, most = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(top))
            top = x[i];
    if (top == 0)
        return 0;
    for (int end = 0; end < 16; end += 15)      /* the largest value at either end */
        for (int k = -TRIES; k <= TRIES; k++) {
            float gain, d = try_steps(x, w, ((float)steps[end] + 4.0f * (float)k) / top, &gain);
            if (gain > most) {
                most = gain;
                best = d;
            }
        }
    return best;
}

static void quantize_iq4_nl(uint8_t *out, const float *x)
{
    float w[32];
    int q[32];
    weigh(w, x, 32);
    float d = sv_put_half(out, fit_steps(x, w)), inverse = d != 0 ? 1 / d : 0;
    for (int i = 0; i < 32; i++)
        q[i] = nearest_step(x[i] * inverse);
    pack_32(out + 2, NULL, q);
}

/* ---- all types ---------------------------------------------------------------- */

typedef void (*block_fn)(uint8_t *out, const float *x);

static block_fn block_of(sv_type type)
{
    switch (type) {
    case SV_Q4_0:   return quantize_q4_0;
    case SV_Q4_1:   return quantize_q4_1;
    case SV_Q5_0:   return quantize_q5_0;
    case SV_Q5_1:   return quantize_q5_1;
    case SV_Q8_0:   return quantize_q8_0;
    case SV_IQ4_NL: return quantize_iq4_nl;
    case SV_Q2_K:   return sv_quantize_q2_k;
    case SV_Q3_K:   return sv_quantize_q3_k;
    case SV_Q4_K:   return sv_quantize_q4_k;
    case SV_Q5_K:   return sv_quantize_q5_k;
    case SV_Q6_K:   return sv_quantize_q6_k;
    default:        return NULL;
    }
}

void sv_quantize(void *out, const float *x, size_t n, sv_type type)
{
    const sv_type_info *info = sv_type_get(type);
    block_fn block = block_of(type);
    assert(n % (size_t)info->block == 0);
    if (type == SV_F32)
        memcpy(out, x, n * sizeof *x);
    else if (type == SV_F16)
        sv_f32_to_f16_ref(out, x, n);
    else if (type == SV_BF16)
        sv_f32_to_bf16_ref(out, x, n);
    for (uint8_t *p = out; block && n; n -= (size_t)info->block) {
        block(p, x);
        p += info->block_bytes;
        x += info->block;
    }
}
