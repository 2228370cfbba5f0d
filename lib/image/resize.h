/* SPDX-License-Identifier: MIT */
/* Pillow's bicubic filter, bit for bit (FORMATS.md, 8.2). */
#ifndef SV_RESIZE_H
#define SV_RESIZE_H

#include "image/image.h"

/* A picture lies at (at_x, at_y) on a plain canvas; the canvas is resized to full_w x
 * full_h; of that, the w x h pixels from (x, y) on are wanted. */
typedef struct sv_resample {
    const svlm_image *image;
    int canvas_w, canvas_h, at_x, at_y;
    uint8_t fill[3];              /* the canvas's colour */
    int full_w, full_h;
    int x, y, w, h;
} sv_resample;

svlm_status sv_resample_run(svlm_image **out, const sv_resample *r, int n_threads, svlm_error *err);

/* The plain case: the whole picture, no canvas around it. */
svlm_status sv_image_resize(svlm_image **out, const svlm_image *in, int width, int height,
                            int n_threads, svlm_error *err);

#endif
