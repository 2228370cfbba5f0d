/* SPDX-License-Identifier: MIT */
/* The kernel sets. Each fills in what it is better at and leaves the rest of the
 * table alone; a rung of the ladder is ref and every set up to its own. */
#ifndef SV_SETS_H
#define SV_SETS_H

#include "simd/kernels.h"

void sv_kernels_fill_ref(sv_kernels *k);
void sv_kernels_fill_avx2(sv_kernels *k);
void sv_kernels_fill_avx512(sv_kernels *k);
void sv_kernels_fill_avx512_bf16(sv_kernels *k);
void sv_kernels_fill_neon(sv_kernels *k);
void sv_kernels_fill_neon_dotprod(sv_kernels *k);
void sv_kernels_fill_neon_i8mm(sv_kernels *k);

#endif
