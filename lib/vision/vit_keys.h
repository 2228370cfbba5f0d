/* SPDX-License-Identifier: MIT */
/* The metadata half of loading an mmproj file. */
#ifndef SV_VIT_KEYS_H
#define SV_VIT_KEYS_H

#include "vision/vision.h"

/* Fills in sizes, activation, preprocessing and which hidden states are the features.
 * preproc.pinpoints stays NULL: *pinpoints holds the checked array. */
svlm_status sv_vit_read_keys(sv_vit *v, const sv_gguf *g, sv_gguf_array *pinpoints,
                             svlm_error *err);

#endif
