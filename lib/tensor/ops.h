/* SPDX-License-Identifier: MIT */
/* The kernels over rows: x[n_rows][n], spread over mm's threads. y may be x. */
#ifndef SV_OPS_H
#define SV_OPS_H

#include "tensor/matmul.h"

void sv_rms_norm(const sv_mm *mm, float *y, const float *x, const float *w, int n_rows, int n,
                 float eps);
void sv_layer_norm(const sv_mm *mm, float *y, const float *x, const float *w, const float *b,
                   int n_rows, int n, float eps);
void sv_add(const sv_mm *mm, float *y, const float *x, int n_rows, int n);       /* y += x */
/* y = silu(gate) * up */
void sv_silu_mul(const sv_mm *mm, float *y, const float *gate, const float *up, int n_rows, int n);
void sv_gelu(const sv_mm *mm, float *x, int n_rows, int n);
void sv_gelu_quick(const sv_mm *mm, float *x, int n_rows, int n);
void sv_silu(const sv_mm *mm, float *x, int n_rows, int n);                      /* x sigmoid(x) */

/* 1 if every value is a number and none is infinite. */
int sv_all_finite(const float *x, size_t n);

#endif
