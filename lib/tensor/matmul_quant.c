/* SPDX-License-Identifier: MIT */
/* Products on the fast path: see matmul_quant.h. */
#include "tensor/matmul_quant.h"

enum {
    CHUNK = 128,                  /* slabs unpacked at a time: 96 KB, a tenth of a usual L2 */
    SMALL_CHUNK = 24,             /* for one row: packing prefetches and multiplying does not, so they
                                   * alternate often; threes and eights of blocks */
    FEW_ROWS = 4,
    FEW_PANELS = 8                /* panels a task takes when there are few rows */
};

/* What a thread works in. A packed slab is at most 16 rows of 34 bytes. */
typedef struct room {
    sv_slab slab[CHUNK];
    uint8_t packed[CHUNK * SV_PANEL_ROWS * 36];
} room;

int sv_quant_supported(const sv_kernels *k, const sv_weight *w)
{
    return k->expand[w->type] != NULL;
}

int sv_quant_groups(int n)
{
    return (n + SV_GROUP - 1) / SV_GROUP;
}

size_t sv_quant_act_bytes(int n_rows, int n_in)
{
    return (size_t)n_rows * (size_t)((n_in + SV_DEPTH - 1) / SV_DEPTH) * sizeof(sv_qtoken);
}

void sv_quant_act(const sv_kernels *k, sv_qtoken *act, const float *x, int n, int n_in, int g)
{
    int first = g * SV_GROUP, left = n - first;
    k->quant_rows(act + (size_t)first * (size_t)(n_in / SV_DEPTH), x + (size_t)first * (size_t)n_in,
                  (size_t)n_in, left < SV_GROUP ? left : SV_GROUP, n_in);
}

size_t sv_quant_scratch(void)
{
    return sizeof(room);
}

static int panels_per_task(int n)
{
    return n <= FEW_ROWS ? FEW_PANELS : 1;
}

int sv_quant_tasks(const sv_weight *w, int n)
{
    int rows = SV_PANEL_ROWS * panels_per_task(n);
    return (w->n_out + rows - 1) / rows;
}

static void add_bias(const sv_product *p, int n, int first, int n_rows)
{
    for (int t = 0; p->bias && t < n; t++)
        for (int r = 0; r < n_rows; r++)
            p->y[(size_t)t * (size_t)p->w->n_out + (size_t)(first + r)] += p->bias[first + r];
}

/* n_blocks packed blocks of a panel, from slab `from` on: where they were laid out at load, or
 * made now from the file's rows. */
static const uint8_t *packed_blocks(const sv_kernels *k, const sv_weight *w, int first, int n_rows,
                                    int from, int n_blocks, room *s)
{
    const sv_block_shape *shape = &sv_block_shapes[w->type];
    size_t block_bytes = w->row_bytes / (size_t)(w->n_in / SV_DEPTH / shape->slabs);
    size_t panel = (size_t)first * w->row_bytes;
    size_t at = (size_t)(from / shape->slabs) * block_bytes;
    if (w->packed)
        return (const uint8_t *)w->packed + panel + SV_PANEL_ROWS * at;
    k->pack(s->packed, w->data + panel + at, w->row_bytes, n_rows, n_blocks, shape);
    return s->packed;
}

/* Slabs [from, from + count) of the panel that starts at row first, for all tokens. */
static void chunk(const sv_kernels *k, const sv_product *p, const sv_qtoken *act, int n, int first,
                  int n_rows, int from, int count, room *s)
{
    const sv_weight *w = p->w;
    const sv_block_shape *shape = &sv_block_shapes[w->type];
    int n_slabs = w->n_in / SV_DEPTH, n_blocks = count / shape->slabs;
    const uint8_t *packed = packed_blocks(k, w, first, n_rows, from, n_blocks, s);
    if (n == 1 && k->gemv_quant[w->type]) {
        k->gemv_quant[w->type](p->y + first, packed, act + from, n_rows, n_blocks, from > 0);
        return;
    }
    k->expand[w->type](s->slab, packed, n_blocks);
    for (int g = 0; g < sv_quant_groups(n); g++) {
        int t = g * SV_GROUP, width = n - t < SV_GROUP ? n - t : SV_GROUP;
        const sv_qtoken *x = act + (size_t)t * (size_t)n_slabs + (size_t)from * (size_t)width;
        k->gemm_quant[shape->form](p->y + (size_t)t * (size_t)w->n_out + first, (size_t)w->n_out,
                                   s->slab, x, width, n_rows, count, shape->zero, from > 0);
    }
}

void sv_quant_task(const sv_kernels *k, const sv_product *p, const sv_qtoken *act, int n, int task,
                   void *scratch)
{
    int per_task = panels_per_task(n), n_slabs = p->w->n_in / SV_DEPTH;
    int size = n == 1 && !p->w->packed ? SMALL_CHUNK : CHUNK;
    for (int i = 0; i < per_task; i++) {
        int first = (task * per_task + i) * SV_PANEL_ROWS, n_rows = p->w->n_out - first;
        if (n_rows <= 0)
            return;
        if (n_rows > SV_PANEL_ROWS)
            n_rows = SV_PANEL_ROWS;
        for (int from = 0; from < n_slabs; from += size)
            chunk(k, p, act, n, first, n_rows, from, n_slabs - from < size ? n_slabs - from : size,
                  scratch);
        add_bias(p, n, first, n_rows);
    }
}
