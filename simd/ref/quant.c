/* SPDX-License-Identifier: MIT */
/* Activations to 8 bits with a scale per 32, and rows of blocks to panels. */
#include <math.h>
#include <string.h>

#include "simd/ref/ref.h"

/* 127 / amax overflows below this; such blocks are zero for all we care. */
static const float TINY = 1e-30f;

static void quant_token(sv_qtoken *o, const float *x)
{
    uint32_t top = 0;
    for (int j = 0; j < SV_DEPTH; j++) {
        uint32_t bits;
        memcpy(&bits, &x[j], 4);
        bits &= 0x7fffffffu;                /* ordered as magnitudes, NaN on top */
        top = bits > top ? bits : top;
    }
    float amax;
    memcpy(&amax, &top, 4);
    int finite = top < 0x7f800000u, some = finite && amax >= TINY;
    int sum[3] = { 0, 0, 0 };
    memset(o, 0, sizeof *o);
    for (int j = 0; some && j < SV_DEPTH; j++) {
        o->q[j] = (int8_t)rintf(x[j] * (127.0f / amax));
        sum[j / 16] += o->q[j];
    }
    sum[2] = sum[0] + sum[1];
    o->scale = !finite ? NAN : some ? amax / 127.0f : 0.0f;
    for (int h = 0; h < 3; h++) {
        o->sum[h] = o->scale * (float)sum[h];
        o->off[h] = -128 * sum[h];
    }
}

void sv_quant_rows_ref(sv_qtoken *dst, const float *x, size_t ldx, int n, int k)
{
    for (int i = 0; i < k / SV_DEPTH; i++)
        for (int t = 0; t < n; t++, dst++)
            quant_token(dst, x + (size_t)t * ldx + (size_t)i * SV_DEPTH);
}

/* Item i (2 or 4 bytes) of every row side by side. */
static uint8_t *transpose(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows,
                          int n_items, size_t size)
{
    for (int i = 0; i < n_items; i++)
        for (int r = 0; r < SV_PANEL_ROWS; r++, dst += size)
            if (r < n_rows)
                memcpy(dst, src + (size_t)r * row_bytes + (size_t)i * size, size);
            else
                memset(dst, 0, size);
    return dst;
}

void sv_pack_ref(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                 const sv_block_shape *s)
{
    for (int b = 0; b < n_blocks; b++) {
        dst = transpose(dst, src, row_bytes, n_rows, s->front, 2);
        src += 2 * s->front;
        dst = transpose(dst, src, row_bytes, n_rows, s->words, 4);
        src += 4 * s->words;
        dst = transpose(dst, src, row_bytes, n_rows, s->back, 2);
        src += 2 * s->back;
    }
}
