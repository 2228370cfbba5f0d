/* SPDX-License-Identifier: MIT */
/* The product of two row-major matrices over their common depth. */
#include "simd/ref/ref.h"

void sv_gemm_f32_ref(float *c, int ldc, const float *a, int lda, const float *b, int ldb,
                     int m, int n, int k, int add)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float dot = sv_dot_f32_ref(a + (size_t)i * lda, b + (size_t)j * ldb, k);
            float *to = &c[(size_t)i * ldc + j];
            *to = add ? *to + dot : dot;
        }
}
