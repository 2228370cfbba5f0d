/* SPDX-License-Identifier: MIT */
/* Products of float matrices on processors with bfloat16 dot products: weights and
 * activations are rounded to 8 bits of mantissa, sums stay in float32. For the
 * tower, where it is asked for (sv_mm.bf16). */
#ifndef SV_MATMUL_BF16_H
#define SV_MATMUL_BF16_H

#include "tensor/matmul.h"

/* 1 if the kernels have it, the matrix is of floats and n rows make it worth while. */
int sv_bf16_supported(const sv_kernels *k, const sv_weight *w, int n);

size_t sv_bf16_act_bytes(int n_rows, int n_in);
/* Rounds rows 16 g .. 16 g + 15 of x[n][n_in]. */
void sv_bf16_act(const sv_kernels *k, uint16_t *act, const float *x, int n, int n_in, int g);

size_t sv_bf16_scratch(int max_in);
int sv_bf16_tasks(const sv_weight *w);
void sv_bf16_task(const sv_kernels *k, const sv_product *p, const uint16_t *act, int n, int task,
                  void *scratch);

#endif
