/* SPDX-License-Identifier: MIT */
/* The table of kernels. simd/ref is the definition of each; the other folders
 * hold faster ways to the same answer. A table is filled once by dispatch.c and
 * is constant afterwards. Pointers to floats and halves are aligned for their type,
 * those to blocks of weights (const void *) for nothing; n may be 0, and nothing is
 * read or written past n. */
#ifndef SV_KERNELS_H
#define SV_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "simd/panel.h"

#define SV_KERNEL_TYPES 31        /* = SV_N_TYPES, GGUF numbering */

typedef struct sv_kernels {
    const char *isa;              /* "c", "avx2", "avx512", "neon", ... */

    /* ---- float vectors (ref/float.c) ------------------------------------- */
    float (*dot_f32)(const float *x, const float *y, int n);
    float (*dot_f16)(const uint16_t *x, const float *y, int n);          /* x half  */
    void (*axpy_f32)(float *y, float a, const float *x, int n);          /* y += a x */
    void (*axpy_f16)(float *y, float a, const uint16_t *x, int n);
    void (*add_f32)(float *y, const float *x, int n);                    /* y += x  */
    void (*scale_f32)(float *y, float a, int n);                         /* y *= a  */
    /* y = x / sqrt(mean(x^2) + eps) * w */
    void (*rms_norm)(float *y, const float *x, const float *w, int n, float eps);
    /* y = (x - mean) / sqrt(var + eps) * w + b */
    void (*layer_norm)(float *y, const float *x, const float *w, const float *b, int n, float eps);
    /* x = exp(x - max) / sum, in place; all -inf gives 0, NaN stays */
    void (*softmax)(float *x, int n);
    void (*silu_mul)(float *y, const float *gate, const float *up, int n); /* silu(gate) up */
    void (*gelu)(float *x, int n);                                       /* exact, erf */
    void (*gelu_quick)(float *x, int n);                                 /* x sigmoid(1.702 x) */
    /* rotates adjacent pairs (x[2i], x[2i+1]) by the angle with cos[i], sin[i] */
    void (*rope)(float *x, const float *cos, const float *sin, int n_pairs);

    /* ---- conversions (ref/convert.c); round to nearest even -------------- */
    void (*f16_to_f32)(float *y, const uint16_t *x, size_t n);
    void (*f32_to_f16)(uint16_t *y, const float *x, size_t n);
    void (*bf16_to_f32)(float *y, const uint16_t *x, size_t n);
    void (*f32_to_bf16)(uint16_t *y, const float *x, size_t n);

    /* ---- blocks to floats (ref/dequant.c): n values of a type; NULL: unknown */
    void (*dequant[SV_KERNEL_TYPES])(float *y, const void *x, size_t n);
    /* the sum of x[i] times what dequant makes of value i of w; in the same places */
    float (*dot_row[SV_KERNEL_TYPES])(const void *w, const float *x, size_t n);

    /* ---- float GEMM without BLAS (ref/gemm_f32.c):
     * c[m][n] = a[m][k] b[n][k]^T (+ c if add), rows lda, ldb, ldc apart ---- */
    void (*gemm_f32)(float *c, int ldc, const float *a, int lda, const float *b, int ldb,
                     int m, int n, int k, int add);

    /* ---- small products of attention (ref/panel.c): a lane is a key or a dimension ----
     * y[t][0..16) (+)= sum over d of x[t][d] w[d][0..16), n <= SV_GROUP rows x, summed in the
     * order of d whatever n is. */
    void (*gemm_panel)(float *y, size_t ldy, const float *w, size_t ldw, const float *x, size_t ldx,
                       int n, int depth, int add);
    /* dst[d][16] = x[0..n_rows)[d] for d < depth; absent rows are zeros. */
    void (*panel_f32)(float *dst, const float *x, size_t ldx, int n_rows, int depth);

    /* ---- integer products (ref/quant.c, ref/expand.c, ref/gemm_quant.c; panel.h) */
    /* Rows x[0..n)[k], ldx apart, n <= SV_GROUP, to dst[k / 32][n]. 32 values with NaN or
     * infinity among them get scale NaN. */
    void (*quant_rows)(sv_qtoken *dst, const float *x, size_t ldx, int n, int k);
    /* n_blocks of n_rows <= 16 rows, row_bytes apart, to packed; absent rows are zeros. */
    void (*pack)(uint8_t *dst, const uint8_t *src, size_t row_bytes, int n_rows, int n_blocks,
                 const sv_block_shape *shape);
    /* n_blocks of a packed panel to slabs in this set's form; NULL: no integer path. */
    void (*expand[SV_KERNEL_TYPES])(sv_slab *dst, const uint8_t *packed, int n_blocks);
    /* y[t][r] (+)= panel row r . token t, for n <= SV_GROUP tokens, n_rows <= 16 rows, rows of
     * y ldy apart; add: y holds the sum over the slabs before these. */
    void (*gemm_quant[SV_FORMS])(float *y, size_t ldy, const sv_slab *w, const sv_qtoken *x,
                                 int n, int n_rows, int n_slabs, int zero, int add);
    /* The same for one token, straight from n_blocks of a packed panel; NULL: expand. */
    void (*gemv_quant[SV_KERNEL_TYPES])(float *y, const uint8_t *packed, const sv_qtoken *x,
                                        int n_rows, int n_blocks, int add);

    /* ---- bfloat16 products; NULL where the processor has none -------------- */
    /* y[t][r] = panel row r . token t: w[n_pairs][16 rows][2], tokens x[n][2 n_pairs], ldx
     * apart, y ldy apart. Float sums, rounded after every product. */
    void (*gemm_bf16)(float *y, size_t ldy, const uint16_t *w, const uint16_t *x, size_t ldx, int n,
                      int n_rows, int n_pairs);
} sv_kernels;

/* The table for this machine, capped by SPARSEVLM_ISA; the first call decides.
 * Thread safe. */
const sv_kernels *sv_kernels_get(void);
/* The table of one rung ("c", "avx2", ...), NULL if this machine or build
 * cannot run it. For tests and benchmarks. */
const sv_kernels *sv_kernels_for(const char *isa);
/* Rungs of this build, weakest (0, "c") first; NULL past the strongest. */
const char *sv_isa_name(int rung);
/* 1 if processor, operating system and this build can run the rung. */
int sv_cpu_can(const char *isa);

#endif
