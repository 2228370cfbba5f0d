/* SPDX-License-Identifier: MIT */
/* The vision tower (CLIP ViT) and the projector of an mmproj file. */
#ifndef SV_VISION_H
#define SV_VISION_H

#include "base/log.h"
#include "gguf/gguf.h"
#include "image/image.h"
#include "tensor/matmul.h"

typedef struct sv_linear { sv_weight w; float *b; } sv_linear;          /* b may be NULL */
typedef struct sv_norm { float *w, *b; } sv_norm;

typedef struct sv_vit_block {
    sv_norm ln1, ln2;
    sv_linear q, k, v, out, up, down;        /* up expands, whatever the file calls it */
} sv_vit_block;

typedef enum sv_act { SV_ACT_GELU_QUICK, SV_ACT_GELU, SV_ACT_SILU } sv_act;

typedef struct sv_vit {
    int image_size, patch, n_embd, n_heads, n_ff;
    int n_blocks;                 /* stored in the file                   */
    int n_run;                    /* blocks that are run: the last feature is after this many */
    int n_features;               /* hidden states that are concatenated (usually 1) */
    int feature[8];               /* each: after how many blocks                     */
    int has_class;
    float eps;
    sv_act act;
    sv_preproc preproc;
    sv_weight patch_w;            /* [n_embd][3 * patch * patch]          */
    float *patch_b;               /* or NULL                              */
    float *class_row, *position;  /* [n_embd], [n_rows][n_embd]           */
    sv_norm pre_ln;               /* w NULL: none                         */
    sv_vit_block *blocks;
    /* projector */
    int n_out;                    /* width of the language model          */
    sv_linear mm0, mm2;           /* mm2.w.data NULL: a single matrix     */
    float *newline;               /* [n_out] or NULL                      */
    int tile_by_tile;             /* detail tiles one after the other, not as one grid */
    void *owned;                  /* float copies of small tensors        */
} sv_vit;

svlm_status sv_vit_load(sv_vit *v, const sv_gguf *g, const sv_log *log, svlm_error *err);
void sv_vit_free(sv_vit *v);      /* all zero is fine */

/* What svlm_features holds. The language model keeps question-independent
 * state with it; see llm/reuse.h. */
struct svlm_features {
    _Atomic int n_refs;
    int n_rows, width;
    float *rows;                  /* [n_rows][width]  */
    svlm_cell *cells;             /* [n_rows]         */
    float *class_attention;       /* [n_rows] or NULL */
    float *keys;                  /* [n_rows][key_width] or NULL */
    int key_width;
    void *reuse;                  /* llm/reuse.c      */
    void (*reuse_free)(void *reuse);
};

svlm_status sv_features_new(svlm_features **out, int n_rows, int width, svlm_error *err);
/* The whole way from a picture to features. */
svlm_status sv_vision_encode(svlm_features **out, const sv_vit *v, const sv_kernels *k,
                             int n_threads, int precise, const svlm_image *image,
                             const svlm_features_options *opt, svlm_error *err);

#endif
