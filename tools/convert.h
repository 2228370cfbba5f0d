/* SPDX-License-Identifier: MIT */
/* A Hugging Face checkpoint of LLaVA to a GGUF pair. */
#ifndef TOOLS_CONVERT_H
#define TOOLS_CONVERT_H

#include "base/status.h"
#include "gguf/mix.h"

typedef struct sv_convert_job {
    const char *folder, *vision;              /* vision: the tower's own folder, or NULL  */
    const char *llm, *mmproj;                 /* files to write                           */
    const char *name;                         /* general.name                             */
    const sv_mix *type, *tower;
    int n_threads;
    /* Called after each tensor; non-zero cancels. NULL: none. */
    int (*step)(void *user, size_t n_done, size_t total);
    void *user;
} sv_convert_job;

typedef struct sv_convert_result {
    int n_unused;                             /* tensors that nobody asked for            */
    char first_unused[200];
} sv_convert_result;

/* Both files appear under their names only when both are complete. */
svlm_status sv_convert(const sv_convert_job *job, sv_convert_result *result, svlm_error *err);

#endif
