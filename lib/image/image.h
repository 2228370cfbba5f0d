/* SPDX-License-Identifier: MIT */
/* Pictures inside the library: pixels, resizing, what the tower is fed. */
#ifndef SV_IMAGE_H
#define SV_IMAGE_H

#include "base/alloc.h"
#include "base/status.h"
#include <sparsevlm/image.h>
#include <sparsevlm/model.h>

/* An image of this size with undefined pixels, for the stages that fill it in. */
svlm_status sv_image_new(svlm_image **out, int width, int height, svlm_error *err);
uint8_t *sv_image_data(svlm_image *image);

/* Turns it upright, given its Exif orientation; others than 2 to 8 do nothing. */
svlm_status sv_image_orient(svlm_image **image, int orientation, svlm_error *err);

typedef struct sv_preproc {
    int image_size;               /* S: the tower's input is S x S        */
    float mean[3], std[3];
    const int32_t *pinpoints;     /* [2 * n_pinpoints] (width, height)    */
    int n_pinpoints;
    int unpad;                    /* merge type spatial_unpad             */
    int n_threads;                /* for resizing; 0: one                 */
} sv_preproc;

/* One picture ready for the tower: inputs[0] is the whole picture, the others
 * are tiles row by row. */
typedef struct sv_tiles {
    svlm_image **inputs;          /* [n_inputs] S x S each                */
    int n_inputs;
    int cols, rows;               /* tile grid, 0 x 0 without tiles       */
    int orig_width, orig_height;  /* for cutting the padding off again    */
} sv_tiles;

svlm_status sv_tiles_make(sv_tiles *t, const svlm_image *image, const sv_preproc *p,
                          svlm_preproc mode, svlm_error *err);
void sv_tiles_free(sv_tiles *t);

/* (value / 255 - mean) / std as planes R, G, B: out[3][S][S]. */
void sv_normalize(float *out, const svlm_image *image, const sv_preproc *p);

/* LLaVA-1.6: which rows and columns of a grid of patches (tile patches joined:
 * *x1 - *x0 columns stay of grid_cols) are left once the padding is cut off. */
void sv_unpad(int grid_cols, int grid_rows, int orig_width, int orig_height, int *x0, int *x1,
              int *y0, int *y1);

/* Videos up to this size are read through once to learn when every frame is shown, so
 * that choices are exact whatever the frame rate does. Changed by tests only. */
extern size_t sv_video_exact_bytes;

#endif
