/* SPDX-License-Identifier: MIT */
/* Attention of many query rows over cached or fresh keys, in blocks: no score
 * matrix larger than one block exists. */
#ifndef SV_ATTENTION_H
#define SV_ATTENTION_H

#include "base/arena.h"
#include "simd/kernels.h"

/* Keys (or values) of one layer. Row i of head h begins at element
 * i * row_stride + h * head_stride, so that any layout of the cache will do. */
typedef struct sv_kv_rows {
    const void *data;             /* uint16_t halves if f16, else float */
    size_t row_stride, head_stride;       /* in elements */
    int f16;
} sv_kv_rows;

typedef struct sv_attention {
    const float *q;               /* [n_query] rows, q_stride apart, heads side by side */
    size_t q_stride;
    int n_query;
    sv_kv_rows k, v;
    int n_rows;                   /* keys there are */
    const int32_t *limit;         /* [n_query] query i sees keys 0..limit[i]-1 (at least 1),
                                     not falling; NULL: all n_rows */
    int n_heads, n_kv_heads, head_dim;
    float scale;                  /* of q.k, usually 1 / sqrt(head_dim) */
} sv_attention;

/* Memory for both functions below. One per chat or encode. */
typedef struct sv_attention_scratch {
    const sv_kernels *k;
    int n_threads;
    size_t per_thread;            /* floats */
    float *floats;                /* [n_threads][per_thread] */
} sv_attention_scratch;

/* For heads of up to max_head_dim and up to max_rows keys. Run it with a measuring
 * arena first. */
void sv_attention_layout(sv_attention_scratch *s, sv_arena *a, const sv_kernels *k, int n_threads,
                         int max_head_dim, int max_rows);

/* out: [n_query] rows, out_stride apart, heads side by side. out may be q. The result
 * does not depend on the number of threads. */
void sv_attention_run(const sv_attention_scratch *s, float *out, size_t out_stride,
                      const sv_attention *a);

/* The probabilities alone: p[n_heads][n_query][n_rows - first]; the columns of the
 * keys before first are left out, though they are in the denominator; keys beyond a
 * query's limit have 0. */
void sv_attention_probabilities(const sv_attention_scratch *s, float *p, int first,
                                const sv_attention *a);

#endif
