/* SPDX-License-Identifier: MIT */
/* A whole GGUF file to another mixture of types. */
#ifndef TOOLS_QUANTIZE_FILE_H
#define TOOLS_QUANTIZE_FILE_H

#include "gguf/mix.h"
#include "recode.h"

typedef struct sv_quantize_job {
    const char *in, *out;
    const sv_mix *mix;
    int n_threads;
    int verify;
    /* Called after each tensor; non-zero cancels. error: NULL without verify. NULL: none. */
    int (*step)(void *user, size_t n_done, size_t total, const sv_gguf_tensor *t, sv_type type,
                const sv_recode_error *error);
    void *user;
} sv_quantize_job;

typedef struct sv_quantize_result {
    uint64_t bytes_in, bytes_out;
    size_t n_tensors;
    int vision;                   /* it was an mmproj file */
} sv_quantize_result;

/* Language models and mmproj files in F32, F16 or BF16. The output appears under its name
 * only when complete. */
svlm_status sv_quantize_file(const sv_quantize_job *job, sv_quantize_result *result,
                             svlm_error *err);

#endif
