/* SPDX-License-Identifier: MIT */
/* The precise path. Tiles depend on the shapes alone, so results do not depend on
 * the number of threads. */
#include "tensor/matmul_float.h"

#include "tensor/matmul_blas.h"

/* Up to this many rows of x the weights are worth one pass over memory and no more;
 * sgemm would pack them first. */
#define FEW_ROWS 4
#define FEW_ROWS_TILE 32          /* rows of w in a task then */

/* Else a task multiplies with TILE_MAX or fewer rows of w, TILE_DEPTH values of each
 * at a time: 1 MiB, about what a core's cache holds. Every tile packs x anew inside
 * sgemm, which at 640 rows of x costs 8 % of its speed for 256 rows of w, 6 % for 512. */
#define TILE_MAX 512
#define TILE_DEPTH 512

static int tile_rows(const sv_weight *w, int n)
{
    if (n <= FEW_ROWS)
        return FEW_ROWS_TILE;
    return w->n_out >= 8192 ? TILE_MAX : w->n_out >= 1024 ? 256 : 64;
}

size_t sv_float_scratch(int max_in)
{
    size_t tile = (size_t)TILE_MAX * TILE_DEPTH, row = (size_t)max_in;
    return tile > row ? tile : row;
}

int sv_float_tasks(const sv_weight *w, int n)
{
    int rows = tile_rows(w, n);
    return w->n_out / rows + (w->n_out % rows != 0);
}

static const uint8_t *row_of(const sv_weight *w, int row)
{
    return w->data + (size_t)row * w->row_bytes;
}

/* The matrix as an array of floats or halves, where it lies as one. */
static int is_aligned(const sv_weight *w, sv_type type, size_t size)
{
    return w->type == type && (uintptr_t)w->data % size == 0;
}

/* A few rows of x: a dot product for every value. */
static void few_rows(const sv_kernels *k, const sv_product *p, const float *x, int n, int first,
                     int end, float *expanded)
{
    const sv_weight *w = p->w;
    int halves = is_aligned(w, SV_F16, sizeof(uint16_t));
    int floats = is_aligned(w, SV_F32, sizeof(float));
    for (int j = first; j < end; j++) {
        const void *row = row_of(w, j);
        const float *values = floats ? row : expanded;
        if (!floats && !halves)
            k->dequant[w->type](expanded, row, (size_t)w->n_in);
        for (int i = 0; i < n; i++) {
            const float *xi = x + (size_t)i * w->n_in;
            p->y[(size_t)i * w->n_out + j] = halves ? k->dot_f16(row, xi, w->n_in)
                                                    : k->dot_f32(values, xi, w->n_in);
        }
    }
}

static void many_rows(const sv_kernels *k, const sv_product *p, const float *x, int n, int first,
                      int end, float *tile)
{
    const sv_weight *w = p->w;
    float *y = p->y + first;
    if (is_aligned(w, SV_F32, sizeof(float))) {
        sv_gemm_nt(k, y, w->n_out, x, w->n_in, (const float *)(const void *)row_of(w, first),
                   w->n_in, n, end - first, w->n_in, 0);
        return;
    }
    for (int at = 0; at < w->n_in; at += TILE_DEPTH) {
        int depth = w->n_in - at < TILE_DEPTH ? w->n_in - at : TILE_DEPTH;
        size_t skip = sv_type_bytes(w->type, (size_t)at);
        for (int j = first; j < end; j++)
            k->dequant[w->type](tile + (size_t)(j - first) * depth, row_of(w, j) + skip,
                                (size_t)depth);
        sv_gemm_nt(k, y, w->n_out, x + at, w->n_in, tile, depth, n, end - first, depth, at > 0);
    }
}

void sv_float_task(const sv_kernels *k, const sv_product *p, const float *x, int n, int task,
                   float *scratch)
{
    const sv_weight *w = p->w;
    int rows = tile_rows(w, n), first = task * rows;
    int end = w->n_out - first < rows ? w->n_out : first + rows;
    if (n <= FEW_ROWS)
        few_rows(k, p, x, n, first, end, scratch);
    else
        many_rows(k, p, x, n, first, end, scratch);
    for (int i = 0; p->bias && i < n; i++)
        k->add_f32(p->y + (size_t)i * w->n_out + first, p->bias + first, end - first);
}
