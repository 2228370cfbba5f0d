/* SPDX-License-Identifier: MIT */
/* A tensor from one file to another in another type, piece by piece on all cores. */
#ifndef TOOLS_RECODE_H
#define TOOLS_RECODE_H

#include "gguf/gguf_write.h"

typedef struct sv_recode_source {
    const char *name;             /* for messages                                      */
    const uint8_t *data;
    sv_type type;                 /* F32, F16 or BF16                                  */
    uint64_t n_rows, n_in;        /* a vector: n_rows values of n_in 1                 */
    uint64_t head_rows;           /* not 0: rows of a head, whose two halves are to be
                                   * interleaved (adjacent-pair rotation)              */
} sv_recode_source;

typedef struct sv_recode_error { double error, energy; } sv_recode_error;   /* sums of squares */

/* Writes the tensor as the next data of w. Values that the type cannot hold (NaN,
 * infinity, beyond half precision) are FORMAT. measured may be NULL. */
svlm_status sv_recode(sv_gguf_writer *w, const sv_recode_source *s, sv_type type, int n_threads,
                      sv_recode_error *measured, svlm_error *err);

#endif
