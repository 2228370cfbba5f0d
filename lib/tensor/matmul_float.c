/* SPDX-License-Identifier: MIT */
/* The precise path. Tiles depend on the shapes alone, so results do not depend on
 * the number of threads. */
#include "tensor/matmul_float.h"

#include "tensor/matmul_blas.h"

/* Up to this many rows of x the weights are worth one pass over memory and no more;
 * sgemm would pack them first. */
#define FEW_ROWS 4
#define FEW_ROWS_TILE 32          /* rows of w in a task then */
#define FEW_ROWS_PIECE 1024       /* values of a row expanded at a time: 4 KiB */

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

size_t sv_float_scratch(void)
{
    return (size_t)TILE_MAX * TILE_DEPTH;
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

/* The matrix as an array of floats, where it lies as one. */
static int is_floats(const sv_weight *w)
{
    return w->type == SV_F32 && (uintptr_t)w->data % sizeof(float) == 0;
}

/* One row of w times each of x. One product unpacks the weights in registers; for several,
 * blocks are expanded once, a piece at a time, which stays in the first-level cache. */
static void one_row(const sv_kernels *k, const sv_product *p, const float *x, int n, int j,
                    float *piece)
{
    const sv_weight *w = p->w;
    float *y = p->y + j;
    if (n == 1 || sv_type_get(w->type)->block == 1) {
        for (int i = 0; i < n; i++)
            y[(size_t)i * w->n_out] = k->dot_row[w->type](row_of(w, j), x + (size_t)i * w->n_in,
                                                          (size_t)w->n_in);
        return;
    }
    for (int at = 0; at < w->n_in; at += FEW_ROWS_PIECE) {
        int left = w->n_in - at, count = left < FEW_ROWS_PIECE ? left : FEW_ROWS_PIECE;
        k->dequant[w->type](piece, row_of(w, j) + sv_type_bytes(w->type, (size_t)at), (size_t)count);
        for (int i = 0; i < n; i++) {
            float dot = k->dot_f32(piece, x + (size_t)i * w->n_in + at, count);
            y[(size_t)i * w->n_out] = at ? y[(size_t)i * w->n_out] + dot : dot;
        }
    }
}

static void many_rows(const sv_kernels *k, const sv_product *p, const float *x, int n, int first,
                      int end, float *tile)
{
    const sv_weight *w = p->w;
    float *y = p->y + first;
    if (is_floats(w)) {
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
    if (n <= FEW_ROWS) {
        for (int j = first; j < end; j++)
            one_row(k, p, x, n, j, scratch);
    } else {
        many_rows(k, p, x, n, first, end, scratch);
    }
    for (int i = 0; p->bias && i < n; i++)
        k->add_f32(p->y + (size_t)i * w->n_out + first, p->bias + first, end - first);
}
