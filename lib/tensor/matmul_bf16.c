/* SPDX-License-Identifier: MIT */
/* Products in bfloat16: see matmul_bf16.h. A panel of 16 rows is rounded and
 * transposed into the cache once and meets every token. */
#include "tensor/matmul_bf16.h"

#include <string.h>

enum { FEW_ROWS = 8, WORDS = 32, PIECE = 2 * WORDS };

/* Rows are padded with zeros to whole pieces of 64 values. */
static const sv_block_shape piece_shape = { .words = WORDS };

static int padded(int n_in)
{
    return (n_in + PIECE - 1) / PIECE * PIECE;
}

/* Between rows of activations: sixteen tokens a power of two apart would share the few
 * lines of one set of the first-level cache (102 instead of 180 GFLOP/s at 4096). */
static size_t stride_of(int n_in)
{
    return (size_t)padded(n_in) + 32;
}

int sv_bf16_supported(const sv_kernels *k, const sv_weight *w, int n)
{
    return k->gemm_bf16 && n >= FEW_ROWS
        && (w->type == SV_F16 || w->type == SV_F32 || w->type == SV_BF16);
}

size_t sv_bf16_act_bytes(int n_rows, int n_in)
{
    return (size_t)n_rows * stride_of(n_in) * sizeof(uint16_t);
}

static void round_row(const sv_kernels *k, uint16_t *to, const float *x, int n_in)
{
    k->f32_to_bf16(to, x, (size_t)n_in);
    memset(to + n_in, 0, (size_t)(padded(n_in) - n_in) * sizeof *to);
}

void sv_bf16_act(const sv_kernels *k, uint16_t *act, const float *x, int n, int n_in, int g)
{
    int end = (g + 1) * SV_GROUP < n ? (g + 1) * SV_GROUP : n;
    for (int t = g * SV_GROUP; t < end; t++)
        round_row(k, act + (size_t)t * stride_of(n_in), x + (size_t)t * (size_t)n_in, n_in);
}

/* One row in floats, 16 rounded, and those transposed. */
size_t sv_bf16_scratch(int max_in)
{
    return (size_t)padded(max_in) * (sizeof(float) + 2 * SV_PANEL_ROWS * sizeof(uint16_t));
}

int sv_bf16_tasks(const sv_weight *w)
{
    return (w->n_out + SV_PANEL_ROWS - 1) / SV_PANEL_ROWS;
}

void sv_bf16_task(const sv_kernels *k, const sv_product *p, const uint16_t *act, int n, int task,
                  void *scratch)
{
    const sv_weight *w = p->w;
    size_t depth = (size_t)padded(w->n_in), n_out = (size_t)w->n_out;
    int first = task * SV_PANEL_ROWS, left = w->n_out - first;
    int n_rows = left < SV_PANEL_ROWS ? left : SV_PANEL_ROWS;
    float *row = scratch, *y = p->y + first;
    uint16_t *rounded = (uint16_t *)(void *)(row + depth);
    uint16_t *panel = rounded + SV_PANEL_ROWS * depth;
    for (int r = 0; r < n_rows; r++) {
        sv_weight_row(k, row, w, first + r);
        round_row(k, rounded + (size_t)r * depth, row, w->n_in);
    }
    k->pack((uint8_t *)panel, (const uint8_t *)rounded, depth * sizeof *rounded, n_rows,
            (int)depth / PIECE, &piece_shape);
    k->gemm_bf16(y, n_out, panel, act, stride_of(w->n_in), n, n_rows, (int)depth / 2);
    for (int t = 0; p->bias && t < n; t++)
        k->add_f32(y + (size_t)t * n_out, p->bias + first, n_rows);
}
