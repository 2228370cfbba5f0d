/* SPDX-License-Identifier: MIT */
/* Products of float matrices, by OpenBLAS or, in a build without it, by the kernel
 * table. Serial when called from a task of sv_parallel. */
#ifndef SV_MATMUL_BLAS_H
#define SV_MATMUL_BLAS_H

#include "simd/kernels.h"

/* c[m][n] = a[m][depth] b[n][depth]^T, plus what is in c if add. */
void sv_gemm_nt(const sv_kernels *k, float *c, int ldc, const float *a, int lda, const float *b,
                int ldb, int m, int n, int depth, int add);

#endif
