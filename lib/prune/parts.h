/* SPDX-License-Identifier: MIT */
/* The arithmetic of pruning, apart from any hook: plain functions on matrices,
 * small enough to be worked by hand in a test. None of them allocates or fails;
 * work areas come from the caller, sized as their comments say. */
#ifndef SV_PRUNE_PARTS_H
#define SV_PRUNE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.h"

/* ---- raters.c: which text rows judge -------------------------------------- */

/* Rows of one matrix that take part: rows[visual[i]] and rows[text[i]]. */
typedef struct sv_rater_input {
    const float *rows;            /* [.][width]                            */
    int width;
    const int32_t *visual, *text;
    int n_visual, n_text;
} sv_rater_input;

/* score[t]: what share of a visual row's similarity text row t has, averaged over
 * the visual rows. work: [n_text]. */
void sv_rater_scores(float *score, const sv_rater_input *in, double *work, const sv_kernels *k);

/* Indices of the scores strictly above their mean, ascending; returns how many. */
int sv_raters_above_mean(int32_t *raters, const float *score, int n_text);

/* ---- score.c: how much attention visual rows get -------------------------- */

typedef struct sv_attention {
    const float *a;               /* [n_heads][n_query][n_rows]            */
    int n_heads, n_query, n_rows;
    const int32_t *column;        /* [n_columns] the visual ones of n_rows */
    int n_columns;
    const double *factor;         /* [n_query][n_columns], or NULL: all 1  */
} sv_attention;

/* mean[q][c]: over the given heads (NULL: all of them), times factor. */
void sv_mean_over_heads(double *mean, const sv_attention *at, const int32_t *heads, int n);
/* sum[h] over queries and columns, times factor. */
void sv_head_sums(float *sum, const sv_attention *at);
/* score[c]: mean over the queries that can see row c (all those after it). */
void sv_mean_over_queries(float *score, const double *mean, const sv_attention *at,
                          const int32_t *query);

/* The pull of rotary embedding by distance: w[i] for positions i apart, all-ones query
 * and key. guard: nothing falls below 0.05 w[0]. */
void sv_gravity(double *w, int n, int head_dim, double rope_base, int guard);

/* ---- rank.c --------------------------------------------------------------- */

/* Singular values, descending, of a[m][n] (overwritten) in sigma[min(m, n)]. work:
 * [m * n]. All 0 when a value is not finite. */
void sv_singular_values(double *sigma, double *a, int m, int n, double *work);
/* How many count: above max(m, n) * 2^-23 of the largest. */
int sv_numerical_rank(const double *sigma, int m, int n);

/* ---- select.c: which rows stay -------------------------------------------- */

/* Indices by falling score; equal scores: lowest index first; NaN last. */
void sv_order_by_score(int32_t *order, const float *score, int n);
/* Shares k over buckets in proportion to size, largest remainders first. */
void sv_share(int32_t *quota, int k, const int32_t *size, int n_buckets);
/* Marks as kept the rows already marked, then the first of order up to the quota of
 * their bucket (bucket NULL: all in bucket 0). quota is used up. */
void sv_select(uint8_t *kept, const int32_t *order, int n, const int32_t *bucket, int32_t *quota);
/* The fewest of order whose scores sum to the share of all; n when the sum is not positive. */
int sv_energy_count(const int32_t *order, const float *score, int n, double share);

/* ---- recycle.c: what becomes of the best of the rest ---------------------- */

/* Of n pruned rows, how many are pooled, and into how many clusters. */
int sv_pool_size(int n_pruned);
int sv_cluster_count(int n_pool);

typedef struct sv_pool {
    const float *rows;            /* [.][width]                            */
    int width;
    const int32_t *member;        /* [n] row of each, by falling score     */
    int n, n_clusters;            /* 1 <= n_clusters <= n                  */
    float *density;               /* out [n]                               */
    int32_t *centre;              /* out [n_clusters] indices below n      */
    int32_t *assign;              /* out [n] cluster of each               */
    float *merged;                /* out [n_clusters][width]               */
} sv_pool;

size_t sv_cluster_work(int n, int width);       /* floats */
void sv_cluster(const sv_pool *p, float *work, const sv_kernels *k);

#endif
