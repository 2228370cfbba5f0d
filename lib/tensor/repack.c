/* SPDX-License-Identifier: MIT */
/* Matrices to packed panels: see repack.h. */
#include "tensor/repack.h"

#include "base/alloc.h"
#include "base/threads.h"

static const size_t ALIGN = 64;   /* a panel begins a cache line */

static size_t n_panels(const sv_weight *w)
{
    return ((size_t)w->n_out + SV_PANEL_ROWS - 1) / SV_PANEL_ROWS;
}

static size_t panel_bytes(const sv_weight *w)
{
    return sv_packed_bytes(&sv_block_shapes[w->type], w->n_in);
}

size_t sv_repack_bytes(const sv_kernels *k, const sv_weight *w)
{
    if (!k->expand[w->type])
        return 0;
    return (n_panels(w) * panel_bytes(w) + ALIGN - 1) / ALIGN * ALIGN;
}

typedef struct job {
    const sv_kernels *k;
    const sv_weight *w;
    uint8_t *to;
} job;

static void pack_panel(void *arg, int panel, int thread)
{
    const job *j = arg;
    const sv_weight *w = j->w;
    const sv_block_shape *shape = &sv_block_shapes[w->type];
    int first = panel * SV_PANEL_ROWS, left = w->n_out - first;
    (void)thread;
    j->k->pack(j->to + (size_t)panel * panel_bytes(w), w->data + (size_t)first * w->row_bytes,
               w->row_bytes, left < SV_PANEL_ROWS ? left : SV_PANEL_ROWS,
               w->n_in / (shape->slabs * SV_DEPTH), shape);
}

svlm_status sv_repack(sv_repacked *out, sv_weight *const *w, size_t n, const sv_kernels *k,
                      int n_threads, const sv_map *map, svlm_error *err)
{
    *out = (sv_repacked){ 0 };
    for (size_t i = 0; i < n; i++)
        out->n_bytes += sv_repack_bytes(k, w[i]);
    if (!out->n_bytes)
        return SVLM_OK;
    uint8_t *to = out->block = sv_block_new(SV_MEM_MODEL, out->n_bytes, 1);
    if (!to) {
        svlm_status st = sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu bytes of repacked weights",
                                 out->n_bytes);
        *out = (sv_repacked){ 0 };
        return st;
    }
    for (size_t i = 0; i < n; i++) {
        size_t n_bytes = sv_repack_bytes(k, w[i]);
        if (!n_bytes)
            continue;
        job j = { k, w[i], to };
        sv_parallel(n_threads, (int)n_panels(w[i]), pack_panel, &j);
        w[i]->packed = to;
        sv_map_release(map, w[i]->data, (size_t)w[i]->n_out * w[i]->row_bytes);
        to += n_bytes;
    }
    return SVLM_OK;
}

void sv_repack_free(sv_repacked *r)
{
    if (r->block)
        sv_block_free(r->block, r->n_bytes);
    *r = (sv_repacked){ 0 };
}
