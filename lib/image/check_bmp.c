/* SPDX-License-Identifier: MIT */
/* BMP: the header, and that every row is there. */
#include "image/decode.h"

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | u16(p + 2) << 16;
}

/* The file header takes 14 bytes; the size of the one that follows tells its kind. */
svlm_status sv_check_bmp(sv_picture *pic, svlm_error *err)
{
    const uint8_t *p = pic->p;
    if (pic->n < 26 || pic->n < 14 + (uint64_t)u32(p + 14))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the BMP header is cut short", pic->name);
    uint32_t header = u32(p + 14), bits, packing = 0, width, height;
    if (header == 12) {
        width = u16(p + 18);
        height = u16(p + 20);
        bits = u16(p + 24);
    } else if (header == 40 || header == 56 || header == 108 || header == 124) {
        width = u32(p + 18);
        height = u32(p + 22);
        if (height > INT32_MAX)                 /* negative: the top row comes first */
            height = 0 - height;
        bits = u16(p + 28);
        packing = u32(p + 30);
    } else {
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a BMP header of %u bytes is not supported",
                       pic->name, (unsigned)header);
    }
    if (packing != 0 && packing != 3)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a compressed BMP is not supported",
                       pic->name);
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: a BMP cannot have %u bits per pixel", pic->name,
                       (unsigned)bits);
    svlm_status st = sv_check_size(pic, width, height, err);
    if (st)
        return st;
    uint64_t row = ((uint64_t)width * bits + 31) / 32 * 4;
    if (u32(p + 10) + row * height > pic->n)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the BMP is cut short: its %u x %u pixels do not "
                       "fit in %zu bytes", pic->name, (unsigned)width, (unsigned)height, pic->n);
    return SVLM_OK;
}
