/* SPDX-License-Identifier: MIT */
/* The safetensors files of a checkpoint, mapped (FORMATS.md, section 11). */
#ifndef TOOLS_SAFETENSORS_H
#define TOOLS_SAFETENSORS_H

#include <jansson.h>

#include "base/mapfile.h"
#include "base/type.h"

enum { SV_ST_MAX_DIMS = 8 };

typedef struct sv_st_tensor {
    const char *name;             /* in a shard's header, as long as the checkpoint is open */
    const char *dtype;            /* "BF16"                                        */
    int type;                     /* sv_type of F32, F16 and BF16; -1 for others   */
    int n_dims;
    uint64_t dim[SV_ST_MAX_DIMS]; /* outermost first */
    const uint8_t *data;
    uint64_t n_bytes;
    int shard;
} sv_st_tensor;

typedef struct sv_shard { sv_map map; json_t *header; } sv_shard;

typedef struct sv_safetensors {
    sv_shard *shards;
    int n_shards;
    sv_st_tensor *tensors;        /* sorted by name, no two alike */
    size_t n_tensors;
} sv_safetensors;

/* model.safetensors, or the shards that model.safetensors.index.json names, in a folder.
 * All zero after a failure. */
svlm_status sv_safetensors_open(sv_safetensors *s, const char *folder, svlm_error *err);
void sv_safetensors_close(sv_safetensors *s);                   /* all zero is fine */

#endif
