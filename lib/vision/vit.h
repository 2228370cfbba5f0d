/* SPDX-License-Identifier: MIT */
/* One encode: its memory, and the stages that work in it. */
#ifndef SV_VIT_H
#define SV_VIT_H

#include "tensor/attention.h"
#include "vision/vision.h"

/* Everything one input of S x S pixels needs; used again for the next one. */
typedef struct sv_vit_state {
    const sv_vit *v;
    sv_mm mm;
    sv_attention_scratch attention;
    int grid, n_patches, n_rows;  /* patches a side, of an input; rows with the class row */
    float *planes;                /* [3][S][S]                                       */
    float *patches;               /* [n_patches][3 * patch * patch]                  */
    float *x, *xn;                /* [n_rows][n_embd]                                */
    float *q, *k, *value;         /* [n_rows][n_embd]                                */
    float *ff;                    /* [n_rows][n_ff]                                  */
    float *features;              /* [n_patches][n_features * n_embd]                */
    float *hidden;                /* [n_patches][width of mm.0] if there is an mm.2  */
    float *rows;                  /* [n_patches][n_out]                              */
    float *class_probability;     /* [n_heads][n_patches] if asked for               */
} sv_vit_state;

/* Pixels to x: patches, class row in front, positions, first norm. */
void sv_vit_embed(sv_vit_state *s, const svlm_image *input);
/* One block over x. q and k are left as the block's queries and keys. */
void sv_vit_layer(sv_vit_state *s, const sv_vit_block *b);
/* The attention of the last block's first n_query rows. */
void sv_vit_attention(const sv_vit_state *s, sv_attention *a, int n_query);
/* features to rows. */
void sv_vit_project(sv_vit_state *s);

/* Where the rows of each input go: base view first, then the tiles' grid. */
typedef struct sv_merge {
    const sv_vit *v;
    int grid;                     /* patches a side of one input  */
    int n_inputs, cols, rows;     /* tiles                        */
    int x0, x1, y0, y1;           /* what is kept of their grid   */
    int newlines;                 /* one after each grid row, or one alone */
    int n_rows;
} sv_merge;

void sv_merge_plan(sv_merge *m, const sv_vit *v, const sv_tiles *t);
/* Row for patch (x, y) of an input, -1 if it was padding. */
int sv_merge_row(const sv_merge *m, int input, int x, int y);
/* Cells of all rows, and the newline rows themselves. */
void sv_merge_geometry(const sv_merge *m, svlm_features *f);

#endif
