/* SPDX-License-Identifier: MIT */
/* NEON with smmla (ARMv8.2 i8mm: Neoverse V1, Apple M2 and later). */
#ifndef SV_NEON_I8MM_H
#define SV_NEON_I8MM_H

#include "simd/kernels.h"

void sv_gemm_quant_fill_neon_i8mm(sv_kernels *k);

#endif
