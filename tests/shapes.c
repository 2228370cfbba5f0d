/* SPDX-License-Identifier: MIT */
#include "shapes.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* The first colour that scenes.py has under each name. */
static const struct { const char *name; uint8_t rgb[3]; } colors[] = {
    { "red", { 255, 0, 0 } },       { "green", { 0, 128, 0 } },     { "blue", { 0, 0, 255 } },
    { "yellow", { 255, 255, 0 } },  { "orange", { 255, 140, 0 } },  { "purple", { 128, 0, 128 } },
    { "pink", { 255, 105, 180 } },  { "brown", { 139, 69, 19 } },   { "black", { 0, 0, 0 } },
    { "white", { 255, 255, 255 } }, { "gray", { 128, 128, 128 } },
};

static const uint8_t *color_of(const char *name)
{
    size_t i = 0;
    while (strcmp(colors[i].name, name))
        i++;
    return colors[i].rgb;
}

/* Is (u, v), in a box from -1 to 1, inside? */
static int covers(const char *kind, double u, double v)
{
    double r = hypot(u, v), a = fabs(u), b = fabs(v);
    if (!strcmp(kind, "circle"))
        return r < 0.99;
    if (!strcmp(kind, "ring"))
        return r < 0.99 && r > 0.66;
    if (!strcmp(kind, "square"))
        return a < 0.98 && b < 0.98;
    if (!strcmp(kind, "cross"))
        return a < 0.98 && b < 0.98 && (a < 0.33 || b < 0.33);
    return v > -0.98 && v < 0.78 && a < 0.98 * (v + 0.98) / 1.76;       /* triangle */
}

void shape_pixel(const shape *s, int x, int y, int side, uint8_t rgb[3])
{
    enum { FINE = 4 };
    const uint8_t *front = color_of(s->color), *back = color_of(s->background);
    double middle_x = (2 * (s->cell % 3) + 1) / 6.0, middle_y = (2 * (s->cell / 3) + 1) / 6.0;
    double half = s->side / 336.0 / 2;
    int n = 0;
    for (int k = 0; k < FINE * FINE; k++) {
        double px = (x + (k % FINE + 0.5) / FINE) / side, py = (y + (k / FINE + 0.5) / FINE) / side;
        n += covers(s->kind, (px - middle_x) / half, (py - middle_y) / half);
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((front[c] * n + back[c] * (FINE * FINE - n)) / (FINE * FINE));
}
