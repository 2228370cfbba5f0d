/* SPDX-License-Identifier: MIT */
/* Pixels, letters, PNG files. */
#include "draw.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "font.h"

sheet sheet_new(int w, int h, color background)
{
    sheet s = { w, h, malloc((size_t)w * (size_t)h * 3) };
    fill(&s, 0, 0, w, h, background);
    return s;
}

void sheet_free(sheet *s)
{
    free(s->rgb);
    s->rgb = NULL;
}

/* ---- colours --------------------------------------------------------------- */

static int channel(color c, int shift)
{
    return (int)(c >> shift & 255);
}

color mix(color a, color b, double share_of_b)
{
    color c = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        double v = channel(a, shift) * (1 - share_of_b) + channel(b, shift) * share_of_b;
        c |= (color)lround(v) << shift;
    }
    return c;
}

color grey_of(color c)
{
    int v = (299 * channel(c, 16) + 587 * channel(c, 8) + 114 * channel(c, 0)) / 1000;
    return (color)v * 0x010101;
}

color heat(double v)
{
    static const color stops[] = { 0x0b0724, 0x4a1170, 0x9b2964, 0xdd4a3c, 0xf98d0a, 0xf7e06a };
    enum { LAST = sizeof stops / sizeof *stops - 1 };
    v = v > 0 ? v < 1 ? v * LAST : LAST : 0;
    int i = v < LAST ? (int)v : LAST - 1;
    return mix(stops[i], stops[i + 1], v - i);
}

/* Steps of the golden angle around the colour wheel. */
color hue(int n)
{
    double h = fmod(n * 0.618034 + 0.47, 1.0) * 6;
    color c = 0;
    for (int k = 0; k < 3; k++) {
        double v = fabs(fmod(h + 2.0 * k, 6.0) - 3) - 1;
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        c = c << 8 | (color)lround(50 + 190 * v);
    }
    return c;
}

/* ---- pixels ---------------------------------------------------------------- */

static uint8_t *at(const sheet *s, int x, int y)
{
    if (!s->rgb || x < 0 || y < 0 || x >= s->w || y >= s->h)
        return NULL;
    return s->rgb + ((size_t)y * (size_t)s->w + (size_t)x) * 3;
}

color get_pixel(const sheet *s, int x, int y)
{
    const uint8_t *p = at(s, x, y);
    return p ? (color)p[0] << 16 | (color)p[1] << 8 | p[2] : 0;
}

void set_pixel(sheet *s, int x, int y, color c)
{
    uint8_t *p = at(s, x, y);
    for (int k = 0; p && k < 3; k++)
        p[k] = (uint8_t)channel(c, 16 - 8 * k);
}

void fill(sheet *s, int x, int y, int w, int h, color c)
{
    for (int i = 0; i < h; i++)
        for (int k = 0; k < w; k++)
            set_pixel(s, x + k, y + i, c);
}

void frame(sheet *s, int x, int y, int w, int h, color c)
{
    fill(s, x, y, w, 1, c);
    fill(s, x, y + h - 1, w, 1, c);
    fill(s, x, y, 1, h, c);
    fill(s, x + w - 1, y, 1, h, c);
}

/* ---- text ------------------------------------------------------------------ */

/* Continuation bytes of UTF-8 belong to the box before them. */
static int is_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

int text_width(const char *text, size_t n, int size)
{
    int w = 0;
    for (size_t i = 0; i < n; i++)
        w += is_character(text[i]) ? FONT_W * size : 0;
    return w;
}

static void draw_glyph(sheet *s, int x, int y, const uint8_t *rows, int size, color c)
{
    for (int i = 0; i < FONT_ROWS; i++)
        for (int k = 0; k < FONT_COLUMNS; k++)
            if (rows[i] >> (FONT_COLUMNS - 1 - k) & 1)
                fill(s, x + k * size, y + i * size, size, size, c);
}

void draw_text(sheet *s, int x, int y, const char *text, size_t n, int size, color c)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_character(text[i]))
            continue;
        draw_glyph(s, x, y, font_glyph((unsigned char)text[i]), size, c);
        x += FONT_W * size;
    }
}

void draw_line(sheet *s, int x, int y, int size, color c, const char *fmt, ...)
{
    char line[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    draw_text(s, x, y, line, strlen(line), size, c);
}

/* ---- files ----------------------------------------------------------------- */

static void png_failed(png_structp png, png_const_charp why)
{
    (void)why;                                  /* errno knows */
    png_longjmp(png, 1);
}

/* No locals here that longjmp could spoil: all are the caller's. */
static int write_png(FILE *f, const sheet *s, png_structp *png, png_infop *info)
{
    *png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_failed, NULL);
    if (!*png || !(*info = png_create_info_struct(*png)) || setjmp(png_jmpbuf(*png)))
        return -1;
    png_init_io(*png, f);
    png_set_IHDR(*png, *info, (png_uint_32)s->w, (png_uint_32)s->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(*png, *info);
    for (size_t y = 0; y < (size_t)s->h; y++)
        png_write_row(*png, s->rgb + y * (size_t)s->w * 3);
    png_write_end(*png, NULL);
    return 0;
}

int sheet_save(const sheet *s, const char *path)
{
    png_structp png = NULL;
    png_infop info = NULL;
    size_t n = strlen(path) + sizeof ".part";
    char *part = malloc(n);
    FILE *f = NULL;
    errno = s->rgb && part ? 0 : ENOMEM;
    int failed = errno != 0;
    if (!failed) {
        snprintf(part, n, "%s.part", path);
        failed = !(f = fopen(part, "wb"));
    }
    if (f) {
        failed = write_png(f, s, &png, &info);
        png_destroy_write_struct(&png, &info);
        failed |= fclose(f) != 0;
        if (failed || (failed = rename(part, path)))
            unlink(part);
    }
    free(part);
    return failed ? -1 : 0;
}
