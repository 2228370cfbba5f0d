/* SPDX-License-Identifier: MIT */
/* The precise path: float32 activations; for a single row weights become float32 in
 * registers, else a tile at a time, never a whole matrix. */
#ifndef SV_MATMUL_FLOAT_H
#define SV_MATMUL_FLOAT_H

#include "tensor/matmul.h"

/* Floats of scratch a thread needs. */
size_t sv_float_scratch(void);
/* Into how many tasks a product of n rows with w falls. */
int sv_float_tasks(const sv_weight *w, int n);
/* One of them: some columns of p->y for all n rows of x. */
void sv_float_task(const sv_kernels *k, const sv_product *p, const float *x, int n, int task,
                   float *scratch);

#endif
