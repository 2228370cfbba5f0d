/* SPDX-License-Identifier: MIT */
/* A small fixed font. */
#ifndef TOOLS_FONT_H
#define TOOLS_FONT_H

#include <stdint.h>

enum { FONT_W = 6, FONT_H = 10, FONT_COLUMNS = 5, FONT_ROWS = 9 };

/* FONT_ROWS rows, leftmost column in bit 4; a box for what is not printable ASCII. */
const uint8_t *font_glyph(unsigned char c);

#endif
