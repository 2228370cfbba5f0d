/* SPDX-License-Identifier: MIT */
/* Float matrix products: the only file that knows BLAS. */
#include "tensor/matmul_blas.h"

#ifdef SV_HAVE_BLAS
#include <cblas.h>

void sv_gemm_nt(const sv_kernels *k, float *c, int ldc, const float *a, int lda, const float *b,
                int ldb, int m, int n, int depth, int add)
{
    (void)k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, depth, 1.0f, a, lda, b, ldb,
                add ? 1.0f : 0.0f, c, ldc);
}

#else

void sv_gemm_nt(const sv_kernels *k, float *c, int ldc, const float *a, int lda, const float *b,
                int ldb, int m, int n, int depth, int add)
{
    k->gemm_f32(c, ldc, a, lda, b, ldb, m, n, depth, add);
}

#endif
