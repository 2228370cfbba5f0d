/* SPDX-License-Identifier: MIT */
/* A sheet of pixels to draw on, and its PNG file. Whatever lies outside is cut off. */
#ifndef TOOLS_DRAW_H
#define TOOLS_DRAW_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t color;           /* 0xRRGGBB */

typedef struct sheet {
    int w, h;
    uint8_t *rgb;                 /* [h][w][3]; NULL: no memory, and nothing is drawn */
} sheet;

sheet sheet_new(int w, int h, color background);
void sheet_free(sheet *s);

color mix(color a, color b, double share_of_b);
color grey_of(color c);
/* Dark to bright for 0 to 1: purple, red, orange, yellow. */
color heat(double v);
/* The n-th of many colours that differ. */
color hue(int n);

color get_pixel(const sheet *s, int x, int y);
void set_pixel(sheet *s, int x, int y, color c);
void fill(sheet *s, int x, int y, int w, int h, color c);
void frame(sheet *s, int x, int y, int w, int h, color c);

/* UTF-8; characters that the font lacks are boxes. size: 1 is 6 x 10 pixels a character. */
int text_width(const char *text, size_t n, int size);
void draw_text(sheet *s, int x, int y, const char *text, size_t n, int size, color c);
void draw_line(sheet *s, int x, int y, int size, color c, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Writes beside the name and renames. 0, or -1 with errno. */
int sheet_save(const sheet *s, const char *path);

#endif
