/* SPDX-License-Identifier: MIT */
/* Products on the fast path: activations of 8 bits, integer dot products over
 * panels of 16 output rows (simd/panel.h). Weights stay as the file has them; a
 * panel is unpacked into the cache once and meets every token. */
#ifndef SV_MATMUL_QUANT_H
#define SV_MATMUL_QUANT_H

#include "tensor/matmul.h"

/* 1 if the kernels have an integer path for this matrix. */
int sv_quant_supported(const sv_kernels *k, const sv_weight *w);

/* Bytes for the quantised activations of n_rows rows of up to n_in values. */
size_t sv_quant_act_bytes(int n_rows, int n_in);
/* Quantises group g (rows 16 g .. 16 g + 15) of x[n][n_in]. */
void sv_quant_act(const sv_kernels *k, sv_qtoken *act, const float *x, int n, int n_in, int g);
int sv_quant_groups(int n);

/* Bytes of scratch one thread needs. */
size_t sv_quant_scratch(void);
/* How many tasks a product over n rows is, and task number task of it. */
int sv_quant_tasks(const sv_weight *w, int n);
void sv_quant_task(const sv_kernels *k, const sv_product *p, const sv_qtoken *act, int n, int task,
                   void *scratch);

#endif
