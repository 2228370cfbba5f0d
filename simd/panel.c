/* SPDX-License-Identifier: MIT */
/* Blocks of the quantised types as transposable pieces (FORMATS.md, section 3). */
#include "simd/panel.h"

#include "simd/kernels.h"

const sv_block_shape sv_block_shapes[SV_KERNEL_TYPES] = {
    /* id          front words back slabs form                                  zero */
    [2] = { 1, 4, 0, 1, 0, 8 },                              /* Q4_0   d q     */
    [3] = { 2, 4, 0, 1, SV_FORM_MIN, 0 },                    /* Q4_1   d m q   */
    [6] = { 1, 5, 0, 1, 0, 16 },                             /* Q5_0   d h q   */
    [7] = { 2, 5, 0, 1, SV_FORM_MIN, 0 },                    /* Q5_1   d m h q */
    [8] = { 1, 8, 0, 1, SV_FORM_SIGNED, 0 },                 /* Q8_0   d q     */
    [10] = { 0, 20, 2, 8, SV_FORM_HALF | SV_FORM_MIN, 0 },   /* Q2_K   s q d dmin */
    [11] = { 0, 27, 1, 8, SV_FORM_HALF, 4 },                 /* Q3_K   hm q s d */
    [12] = { 2, 35, 0, 8, SV_FORM_MIN, 0 },                  /* Q4_K   d dmin s q */
    [13] = { 2, 43, 0, 8, SV_FORM_MIN, 0 },                  /* Q5_K   d dmin s h q */
    [14] = { 0, 52, 1, 8, SV_FORM_HALF, 32 },                /* Q6_K   ql qh s d */
    [20] = { 1, 4, 0, 1, SV_FORM_SIGNED, 0 },                /* IQ4_NL d q     */
};
