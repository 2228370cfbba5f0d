/* SPDX-License-Identifier: MIT */
/* Rotary positions: adjacent pairs of a head turn by position * base^(-2i/d). */
#ifndef SV_ROPE_H
#define SV_ROPE_H

#include "tensor/matmul.h"

/* Angle per position of each pair, [head_dim / 2]. divisor: [head_dim / 2] or NULL. */
void sv_rope_frequencies(float *frequency, int head_dim, float base, const float *divisor);

/* cos and sin of every row's angles, [n_rows][n_pairs]; positions are divided by scale. */
void sv_rope_table(float *cos, float *sin, const float *frequency, int n_pairs, float scale,
                   const int32_t *position, int n_rows);

/* Turns n_heads heads of n_rows rows, stride floats apart, in place. */
void sv_rope_rows(const sv_mm *mm, float *x, size_t stride, int n_rows, int n_heads,
                  const float *cos, const float *sin, int n_pairs);

#endif
