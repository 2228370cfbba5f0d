/* SPDX-License-Identifier: MIT */
/* One matrix product over a typed weight, whatever its blocks and whichever
 * path computes it. */
#ifndef SV_MATMUL_H
#define SV_MATMUL_H

#include "base/arena.h"
#include "base/type.h"
#include "simd/kernels.h"

/* A matrix of n_out rows of n_in values, as GGUF stores it. */
typedef struct sv_weight {
    const uint8_t *data;
    sv_type type;
    int n_in, n_out;
    size_t row_bytes;
    const void *packed;           /* the kernels' own layout, if it was made; else NULL */
} sv_weight;

/* How products are computed, and the memory for it. One per chat or encode. */
typedef struct sv_mm {
    const sv_kernels *k;
    int n_threads;
    int precise;                  /* float32 activations for every type */
    int bf16;                     /* float matrices may be rounded to bfloat16; set after
                                     sv_mm_layout, ignored if precise   */
    int max_rows, max_in, max_out;
    void *scratch;                /* matmul.c's own */
} sv_mm;

/* Takes scratch for products of up to max_rows rows with matrices of up to
 * max_in x max_out. Run it with a measuring arena first. */
void sv_mm_layout(sv_mm *mm, sv_arena *a, const sv_kernels *k, int n_threads, int precise,
                  int max_rows, int max_in, int max_out);

typedef struct sv_product {
    float *y;                     /* [n][w->n_out]                  */
    const sv_weight *w;
    const float *bias;            /* [w->n_out] or NULL             */
} sv_product;

/* y = x w^T (+ bias) for n rows x[n][w->n_in], several matrices over the same x
 * in one parallel region (Q, K, V; gate, up). The result does not depend on
 * the number of threads. */
void sv_matmul_many(const sv_mm *mm, const sv_product *p, int n_products, const float *x, int n);
void sv_matmul(const sv_mm *mm, float *y, const float *x, int n, const sv_weight *w);

/* One row of a matrix as floats (embedding look-up). */
void sv_weight_row(const sv_kernels *k, float *y, const sv_weight *w, int row);

#endif
