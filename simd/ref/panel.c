/* SPDX-License-Identifier: MIT */
/* Products with sixteen columns side by side, and how rows become such columns. */
#include "simd/ref/ref.h"

void sv_gemm_panel_ref(float *y, size_t ldy, const float *w, size_t ldw, const float *x, size_t ldx,
                       int n, int depth, int add)
{
    for (int t = 0; t < n; t++)
        for (int r = 0; r < SV_PANEL_ROWS; r++) {
            double sum = add ? y[(size_t)t * ldy + (size_t)r] : 0;
            for (int d = 0; d < depth; d++)
                sum += (double)x[(size_t)t * ldx + (size_t)d] * w[(size_t)d * ldw + (size_t)r];
            y[(size_t)t * ldy + (size_t)r] = (float)sum;
        }
}

void sv_panel_f32_ref(float *dst, const float *x, size_t ldx, int n_rows, int depth)
{
    for (int d = 0; d < depth; d++)
        for (int r = 0; r < SV_PANEL_ROWS; r++)
            *dst++ = r < n_rows ? x[(size_t)r * ldx + (size_t)d] : 0;
}
