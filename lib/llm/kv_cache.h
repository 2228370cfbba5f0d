/* SPDX-License-Identifier: MIT */
/* Keys and values of a conversation. Pruning leaves later layers with fewer
 * rows, so every layer has its own length. */
#ifndef SV_KV_CACHE_H
#define SV_KV_CACHE_H

#include "base/arena.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"

typedef struct sv_kv {
    int n_layers, n_ctx, n_kv_heads, head_dim;
    int f16;                      /* halves, else floats                       */
    int32_t *len;                 /* [n_layers] rows that are valid            */
    unsigned char *data;          /* [n_layers][key, value][n_kv_heads][n_ctx][head_dim] */
} sv_kv;

/* n_layers .. f16 are set before. A head's rows lie side by side, and only what
 * is written costs memory when the arena's pages are untouched. */
void sv_kv_layout(sv_kv *kv, sv_arena *a);

/* Bytes of one row, keys and values, in one layer. */
size_t sv_kv_row_bytes(const sv_kv *kv);

/* Stores n rows of keys and values [n][n_kv_heads * head_dim] from row at on. The
 * length is the caller's business. */
void sv_kv_put(const sv_kv *kv, const sv_mm *mm, int layer, int at, int n, const float *key,
               const float *value);

sv_kv_rows sv_kv_keys(const sv_kv *kv, int layer);
sv_kv_rows sv_kv_values(const sv_kv *kv, int layer);

/* The first n rows of a layer to out, or from it: n * sv_kv_row_bytes. */
void sv_kv_save(const sv_kv *kv, int layer, int n, void *out);
void sv_kv_load(const sv_kv *kv, int layer, int n, const void *in);

#endif
