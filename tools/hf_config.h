/* SPDX-License-Identifier: MIT */
/* What a checkpoint's JSON files say about the model, in one struct whatever the layout:
 * llava-hf's (text_config and vision_config) or liuhaotian's (flat, mm_ keys). */
#ifndef TOOLS_HF_CONFIG_H
#define TOOLS_HF_CONFIG_H

#include "json_file.h"

enum { SV_HF_MAX_FEATURES = 8, SV_HF_MAX_PINPOINTS = 64 };

typedef struct sv_hf_config {
    /* language model */
    int n_embd, n_ff, n_layers, n_heads, n_kv_heads, head_size, n_ctx;
    float eps, theta, rope_factor;            /* rope_factor 0: positions are not scaled       */
    int tied;
    /* vision tower */
    int image_size, patch, v_embd, v_ff, v_layers, v_heads, gelu;
    float v_eps;
    int n_features, feature[SV_HF_MAX_FEATURES];        /* "after so many blocks"               */
    int n_blocks;                             /* the largest of them: blocks that are needed   */
    float mean[3], std[3];
    /* projector and tiles */
    int n_projector;                          /* matrices: 1 or 2                              */
    int n_pinpoints, pinpoints[2 * SV_HF_MAX_PINPOINTS];        /* width, height               */
    int spatial_unpad;
    /* text */
    int bos, eos, pad;                        /* -1: not said */
    int add_bos, add_eos;                     /* -1: not said */
    json_t *tokenizer, *added; /* tokenizer_config.json, added_tokens.json, or NULL */
} sv_hf_config;

/* vision: another folder whose config.json describes the tower, or NULL. */
svlm_status sv_hf_config_load(sv_hf_config *c, const char *folder, const char *vision,
                              svlm_error *err);
void sv_hf_config_free(sv_hf_config *c);      /* all zero is fine */

#endif
