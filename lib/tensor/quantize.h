/* SPDX-License-Identifier: MIT */
/* Floats to the blocks of weight types (FORMATS.md, section 3). */
#ifndef SV_QUANTIZE_H
#define SV_QUANTIZE_H

#include "base/type.h"

/* n finite values of magnitude up to 65504, whole blocks, to type. The scales are
 * searched for the least squared error, in which larger values count somewhat more:
 * they do more of a matrix's work. The same bytes on every thread. */
void sv_quantize(void *out, const float *x, size_t n, sv_type type);

#endif
