/* SPDX-License-Identifier: MIT */
/* What svlm_model holds. All of it is constant once the model is open, but for the
 * reference count, so threads share it without locks. */
#ifndef SV_MODEL_H
#define SV_MODEL_H

#include <stdatomic.h>

#include "base/log.h"
#include "gguf/gguf.h"
#include "llm/llm.h"
#include "tensor/repack.h"
#include "text/text.h"
#include "vision/vision.h"

/* One file of the pair. */
typedef struct sv_half {
    sv_map map;
    sv_gguf gguf;
    sv_repacked repacked;         /* with SVLM_LOAD_REPACK */
} sv_half;

struct svlm_model {
    atomic_int n_refs;
    sv_half text, vision;
    int has_vision;
    sv_llm llm;
    sv_vit vit;
    sv_vocab *vocab;
    const sv_template *template;
    const sv_kernels *kernels;
    sv_log log;
    int n_threads, precise;
    char name[128], description[96];
    uint64_t n_params;
};

/* Fills in name, description and n_params from the files. */
void sv_model_describe(svlm_model *m);

/* Lays the quantised matrices of both files out for the kernels. */
svlm_status sv_model_repack(svlm_model *m, svlm_error *err);

/* A caller's number of threads: 0 means otherwise, a negative one is ARG, more than
 * there are cores is cut with a warning. */
svlm_status sv_thread_count(int *out, int wanted, int otherwise, const sv_log *log,
                            svlm_error *err);

/* IO if a mapped file has become shorter: what is gone would be a SIGBUS. */
svlm_status sv_model_check_files(const svlm_model *m, svlm_error *err);

#endif
