/* SPDX-License-Identifier: MIT */
/* From a picture file's bytes to pixels. stb_image trusts files more than we do,
 * so each format's structure is walked first: what gets past the walk can make
 * the decoder fail but not write outside its memory, or work for hours. */
#ifndef SV_DECODE_H
#define SV_DECODE_H

#include "base/status.h"

typedef struct sv_picture {
    const char *name;             /* for error sentences                      */
    const uint8_t *p;
    size_t n;
    uint64_t max_pixels;
    int width, height;            /* from here on: filled in by the checks    */
    int orientation;              /* EXIF, 1..8; 1: upright or not known      */
    int has_16_bits;              /* a sample                                 */
} sv_picture;

typedef enum sv_format { SV_FORMAT_OTHER, SV_FORMAT_JPEG, SV_FORMAT_PNG, SV_FORMAT_BMP } sv_format;

/* What the bytes are; for other formats *what is a name with its article, "a
 * WebP picture". */
sv_format sv_sniff(const uint8_t *p, size_t n, const char **what);

svlm_status sv_check_jpeg(sv_picture *pic, svlm_error *err);
svlm_status sv_check_png(sv_picture *pic, svlm_error *err);
svlm_status sv_check_bmp(sv_picture *pic, svlm_error *err);
/* Stores the size, or says why it is refused: none, or above max_pixels. */
svlm_status sv_check_size(sv_picture *pic, uint32_t width, uint32_t height, svlm_error *err);

/* The orientation in a JPEG's Exif block of n bytes; 1 when there is none. */
int sv_exif_orientation(const uint8_t *exif, size_t n);

/* Decodes a checked picture to RGB, *pixels from sv_malloc. No single allocation
 * is larger than its size and the file's justify. */
svlm_status sv_stb_decode(uint8_t **pixels, const sv_picture *pic, svlm_error *err);

#endif
