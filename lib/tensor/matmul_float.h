/* SPDX-License-Identifier: MIT */
/* The precise path: float32 activations, weights expanded to float32 a tile at a
 * time, never a whole matrix. */
#ifndef SV_MATMUL_FLOAT_H
#define SV_MATMUL_FLOAT_H

#include "tensor/matmul.h"

/* Floats of scratch a thread needs for matrices of up to max_in values a row. */
size_t sv_float_scratch(int max_in);
/* Into how many tasks a product of n rows with w falls. */
int sv_float_tasks(const sv_weight *w, int n);
/* One of them: some columns of p->y for all n rows of x. */
void sv_float_task(const sv_kernels *k, const sv_product *p, const float *x, int n, int task,
                   float *scratch);

#endif
