/* SPDX-License-Identifier: MIT */
/* Which type each tensor of a model gets when the whole is called "Q4_K_M": the
 * mixtures that people know from llama-quantize. */
#ifndef SV_MIX_H
#define SV_MIX_H

#include "base/type.h"

typedef struct sv_mix sv_mix;

/* NULL when unknown; upper or lower case. */
const sv_mix *sv_mix_by_name(const char *name);
/* All mixtures in turn: NULL behind the last. */
const sv_mix *sv_mix_at(int i);
const char *sv_mix_name(const sv_mix *m);
/* The number that stands for it in the key general.file_type. */
uint32_t sv_mix_file_type(const sv_mix *m);

typedef struct sv_mix_model { int n_layers, n_heads, n_kv_heads, tied; } sv_mix_model;

/* For a tensor of a language model with n_dims dimensions, the innermost of
 * n_in: norms and biases stay F32, and where rows do not fit the blocks of
 * the intended type a smaller block with more bits takes its place. */
sv_type sv_mix_type(const sv_mix *m, const sv_mix_model *model, const char *name, int n_dims,
                    uint64_t n_in);
/* For a tensor of a vision tower and projector: the matrices of the blocks and of
 * the projector; patches and positions in half precision at most. */
sv_type sv_mix_vision_type(const sv_mix *m, const char *name, int n_dims, uint64_t n_in);

#endif
