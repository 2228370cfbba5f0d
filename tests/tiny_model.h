/* SPDX-License-Identifier: MIT */
/* GGUF pairs for tests: random, seeded, a few hundred kilobytes. */
#ifndef SV_TINY_MODEL_H
#define SV_TINY_MODEL_H

#include "bench/make_model.h"

typedef struct tiny_model {
    char folder[64];              /* a new one, for the test to use as well */
    char llm[96], mmproj[96];     /* in it                                  */
} tiny_model;

/* The shape to start from: 4 layers of 64, 4 heads over 2, 512 tokens, F16; pictures of
 * 56 x 56 in 4 x 4 patches. Change what the test is about. */
sv_model_shape tiny_shape(void);
/* Writes the pair into a new temporary folder; the test fails if it cannot. */
void tiny_model_make(tiny_model *t, const sv_model_shape *s);
/* The same files again, of another shape or with another patch. */
void tiny_model_remake(const tiny_model *t, const sv_model_shape *s);
/* Removes both files and the folder. */
void tiny_model_remove(const tiny_model *t);

#endif
