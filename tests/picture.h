/* SPDX-License-Identifier: MIT */
/* Picture files made by tests: whole ones of every kind, and their parts, so that
 * damaged and lying ones can be put together. */
#ifndef SV_PICTURE_H
#define SV_PICTURE_H

#include "check.h"

#include "base/rng.h"
#include "image/image.h"

typedef struct blob { uint8_t p[1 << 18]; size_t n; } blob;

void blob_put(blob *b, const void *bytes, size_t n);
void blob_be(blob *b, uint32_t v, int n_bytes);
void blob_le(blob *b, uint32_t v, int n_bytes);
void blob_insert(blob *b, size_t at, const void *bytes, size_t n);
/* A file of tests/data/images. */
void blob_load(blob *b, const char *name);

/* A PNG chunk with its checksum; the start of a PNG file. */
void blob_chunk(blob *b, const char *type, const void *body, size_t n);
void blob_png_header(blob *b, uint32_t w, uint32_t h, int depth, int color);

/* A whole PNG of random samples, by libpng; want is what they mean as RGB. */
enum { SAMPLE_W = 19, SAMPLE_H = 13 };
typedef struct png_kind { int color, depth, interlace, transparent; } png_kind;
void blob_png(blob *b, const png_kind *k, sv_rng *rng, uint8_t want[SAMPLE_H][SAMPLE_W][3]);

/* A BMP of 5 x 3 pixels. With v = x + 5y, taken modulo the size of the palette if there
 * is one: palette colours are (v + 1, 16v, 200 - v), others (0, 0, 9v), 16-bit ones have v
 * as their five bits of blue. */
void blob_bmp(blob *b, int bits, int top_down);

/* Where a JPEG's first marker of a kind is; puts an Exif segment in front. */
size_t blob_marker(const blob *b, int marker);
void blob_exif(blob *b, int little, int orientation);

/* Decodes and checks that image and error go with the status. */
svlm_status decode_with(const blob *b, const svlm_image_options *opt, svlm_image **image,
                        svlm_error *err);
svlm_image *decode_ok(const blob *b, const svlm_image_options *opt);
/* It must fail like this, with these words in the sentence. */
void refuse(const blob *b, svlm_status want, const char *words);

#endif
