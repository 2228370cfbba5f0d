/* SPDX-License-Identifier: MIT */
/* NEON with sdot (ARMv8.2 dotprod: Cortex-A55, A76 and later). Slabs are those of neon. */
#ifndef SV_NEON_DOTPROD_H
#define SV_NEON_DOTPROD_H

#include "simd/kernels.h"

void sv_gemv_quant_fill_neon_dotprod(sv_kernels *k);
void sv_gemm_quant_fill_neon_dotprod(sv_kernels *k);

#endif
