/* SPDX-License-Identifier: MIT */
/* Blocks of quantised weights to floats (FORMATS.md, section 3). A block may lie at
 * any address; n is a multiple of the block's length. */
#include <string.h>

#include "simd/half.h"
#include "simd/ref/ref.h"

static const int8_t iq4_nl_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
};

void sv_dequant_f32_ref(float *y, const void *x, size_t n)
{
    memcpy(y, x, n * sizeof *y);
}

void sv_dequant_f16_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (size_t i = 0; i < n; i++)
        y[i] = sv_half_at(b + 2 * i);
}

void sv_dequant_bf16_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (size_t i = 0; i < n; i++)
        y[i] = sv_float_of_bits((uint32_t)b[2 * i] << 16 | (uint32_t)b[2 * i + 1] << 24);
}

/* ---- blocks of 32: byte j holds value j in its low half, value j + 16 above ---- */

void sv_dequant_q4_0_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 18) {
        float d = sv_half_at(b);
        for (int j = 0; j < 16; j++) {
            y[j] = d * (float)((b[2 + j] & 15) - 8);
            y[j + 16] = d * (float)((b[2 + j] >> 4) - 8);
        }
    }
}

void sv_dequant_q4_1_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 20) {
        float d = sv_half_at(b), m = sv_half_at(b + 2);
        for (int j = 0; j < 16; j++) {
            y[j] = d * (float)(b[4 + j] & 15) + m;
            y[j + 16] = d * (float)(b[4 + j] >> 4) + m;
        }
    }
}

/* Bit j of the word at p, as the fifth bit of a value. */
static int fifth_bit(const uint8_t *p, int j)
{
    return (p[j / 8] >> j % 8 & 1) << 4;
}

void sv_dequant_q5_0_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 22) {
        float d = sv_half_at(b);
        for (int j = 0; j < 16; j++) {
            y[j] = d * (float)(((b[6 + j] & 15) | fifth_bit(b + 2, j)) - 16);
            y[j + 16] = d * (float)((b[6 + j] >> 4 | fifth_bit(b + 2, j + 16)) - 16);
        }
    }
}

void sv_dequant_q5_1_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 24) {
        float d = sv_half_at(b), m = sv_half_at(b + 2);
        for (int j = 0; j < 16; j++) {
            y[j] = d * (float)((b[8 + j] & 15) | fifth_bit(b + 4, j)) + m;
            y[j + 16] = d * (float)(b[8 + j] >> 4 | fifth_bit(b + 4, j + 16)) + m;
        }
    }
}

void sv_dequant_q8_0_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 34) {
        float d = sv_half_at(b);
        for (int j = 0; j < 32; j++)
            y[j] = d * (float)(int8_t)b[2 + j];
    }
}

void sv_dequant_iq4_nl_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 32, y += 32, b += 18) {
        float d = sv_half_at(b);
        for (int j = 0; j < 16; j++) {
            y[j] = d * (float)iq4_nl_values[b[2 + j] & 15];
            y[j + 16] = d * (float)iq4_nl_values[b[2 + j] >> 4];
        }
    }
}

/* ---- blocks of 256: two halves of 128, each four groups of 32 that share bytes -- */

void sv_dequant_q2_k_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 256, y += 256, b += 84) {
        const uint8_t *q = b + 16;
        float d = sv_half_at(b + 80), dmin = sv_half_at(b + 82);
        for (int i = 0; i < 256; i++) {
            int half = i / 128, pair = i % 128 / 32, l = i % 32;
            int v = q[32 * half + l] >> 2 * pair & 3;
            y[i] = d * (float)(b[i / 16] & 15) * (float)v - dmin * (float)(b[i / 16] >> 4);
        }
    }
}

/* Q3_K: sixteen scales of 6 bits, minus 32; low halves first, then the high pairs. */
static int q3_k_scale(const uint8_t *s, int j)
{
    int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
    int high = s[8 + j % 4] >> 2 * (j / 4) & 3;
    return (low | high << 4) - 32;
}

void sv_dequant_q3_k_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 256, y += 256, b += 110) {
        const uint8_t *high = b, *q = b + 32, *s = b + 96;
        float d = sv_half_at(b + 108);
        for (int i = 0; i < 256; i++) {
            int half = i / 128, pair = i % 128 / 32, l = i % 32;
            int v = q[32 * half + l] >> 2 * pair & 3;
            if (!(high[l] >> (4 * half + pair) & 1))
                v -= 4;
            y[i] = d * (float)q3_k_scale(s, i / 16) * (float)v;
        }
    }
}

/* Q4_K and Q5_K: scale and minimum of group g, 6 bits each, in 12 bytes. */
static void scale_and_min(const uint8_t *s, int g, int *scale, int *min)
{
    if (g < 4) {
        *scale = s[g] & 63;
        *min = s[g + 4] & 63;
    } else {
        *scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        *min = s[g + 4] >> 4 | s[g] >> 6 << 4;
    }
}

void sv_dequant_q4_k_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 256, y += 256, b += 144) {
        float d = sv_half_at(b), dmin = sv_half_at(b + 2);
        for (int g = 0; g < 8; g++) {
            const uint8_t *q = b + 16 + 32 * (g / 2);
            int scale, min;
            scale_and_min(b + 4, g, &scale, &min);
            for (int l = 0; l < 32; l++) {
                int v = g % 2 ? q[l] >> 4 : q[l] & 15;
                y[32 * g + l] = d * (float)scale * (float)v - dmin * (float)min;
            }
        }
    }
}

void sv_dequant_q5_k_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 256, y += 256, b += 176) {
        const uint8_t *high = b + 16;
        float d = sv_half_at(b), dmin = sv_half_at(b + 2);
        for (int g = 0; g < 8; g++) {
            const uint8_t *q = b + 48 + 32 * (g / 2);
            int scale, min;
            scale_and_min(b + 4, g, &scale, &min);
            for (int l = 0; l < 32; l++) {
                int v = (g % 2 ? q[l] >> 4 : q[l] & 15) | (high[l] >> g & 1) << 4;
                y[32 * g + l] = d * (float)scale * (float)v - dmin * (float)min;
            }
        }
    }
}

void sv_dequant_q6_k_ref(float *y, const void *x, size_t n)
{
    const uint8_t *b = x;
    for (; n; n -= 256, y += 256, b += 210) {
        const uint8_t *low = b, *high = b + 128, *s = b + 192;
        float d = sv_half_at(b + 208);
        for (int i = 0; i < 256; i++) {
            int half = i / 128, pair = i % 128 / 32, l = i % 32;
            int v = low[64 * half + 32 * (pair & 1) + l];
            v = (pair < 2 ? v & 15 : v >> 4) | (high[32 * half + l] >> 2 * pair & 3) << 4;
            y[i] = d * (float)(int8_t)s[i / 16] * (float)(v - 32);
        }
    }
}
