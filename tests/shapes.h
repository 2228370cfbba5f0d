/* SPDX-License-Identifier: MIT */
/* Pictures in the style of the demo model's training pictures (models/train/scenes.py):
 * one shape of a plain colour on a plain background. */
#ifndef SV_SHAPES_H
#define SV_SHAPES_H

#include <stdint.h>

typedef struct shape {
    const char *kind;             /* "circle", "square", "triangle", "ring", "cross"  */
    const char *color, *background;     /* "red", "white" ...                          */
    int side;                     /* of the box around it, in 336ths of the picture's */
    int cell;                     /* of a layout of 3 x 3, row by row                 */
} shape;

/* The pixel at (x, y) of a picture that is side pixels wide and high. */
void shape_pixel(const shape *s, int x, int y, int side, uint8_t rgb[3]);

#endif
