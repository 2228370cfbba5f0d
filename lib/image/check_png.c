/* SPDX-License-Identifier: MIT */
/* PNG: the chunks, their checksums, and whether so little data can hold so
 * many pixels. */
#include "image/decode.h"

#include <inttypes.h>

/* Deflate cannot shrink anything by more than this. */
enum { MAX_RATIO = 1032 };

typedef struct walk {
    sv_picture *pic;
    uint32_t crc[256];
    size_t at;
    uint64_t n_raw;               /* bytes before compression, filter bytes aside */
    uint64_t n_packed;            /* of all IDAT chunks */
    int done;
} walk;

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void crc_init(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

static uint32_t crc_of(const uint32_t table[256], const uint8_t *p, size_t n)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        c = table[(c ^ p[i]) & 255] ^ c >> 8;
    return ~c;
}

/* Channels of a colour type with that depth; 0: no such thing. */
static int channels(int color, int depth)
{
    switch (color) {
    case 0: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16 ? 1 : 0;
    case 3: return depth == 1 || depth == 2 || depth == 4 || depth == 8 ? 1 : 0;
    case 2: return depth == 8 || depth == 16 ? 3 : 0;
    case 4: return depth == 8 || depth == 16 ? 2 : 0;
    case 6: return depth == 8 || depth == 16 ? 4 : 0;
    }
    return 0;
}

static svlm_status read_header(walk *w, const uint8_t *body, uint32_t n_bytes, svlm_error *err)
{
    if (n_bytes != 13)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the PNG header has %" PRIu32 " bytes, not 13",
                       w->pic->name, n_bytes);
    svlm_status st = sv_check_size(w->pic, u32(body), u32(body + 4), err);
    if (st)
        return st;
    int n = channels(body[9], body[8]);
    if (!n || body[10] || body[11] || body[12] > 1)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: a PNG cannot have depth %d, colour type %d, "
                       "methods %d %d %d", w->pic->name, body[8], body[9], body[10], body[11],
                       body[12]);
    w->pic->has_16_bits = body[8] == 16;
    w->n_raw = ((uint64_t)u32(body) * (unsigned)n * body[8] + 7) / 8 * u32(body + 4);
    return SVLM_OK;
}

/* Upper case first letter: a chunk without which the picture cannot be shown. */
static int is_critical(const uint8_t *type)
{
    return !(type[0] & 0x20);
}

static svlm_status read_chunk(walk *w, svlm_error *err)
{
    const sv_picture *pic = w->pic;
    const uint8_t *p = pic->p + w->at, *type = p + 4;
    size_t left = pic->n - w->at;
    if (left < 12 || u32(p) > left - 12)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the PNG is cut short in the chunk at byte %zu",
                       pic->name, w->at);
    uint32_t n_bytes = u32(p);
    int is_first = w->at == 8;
    if (is_first != !memcmp(type, "IHDR", 4))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the PNG's header is not its first chunk, or "
                       "there are two", pic->name);
    svlm_status st = is_first ? read_header(w, p + 8, n_bytes, err) : SVLM_OK;
    if (st)
        return st;
    if (crc_of(w->crc, type, (size_t)n_bytes + 4) != u32(p + 8 + n_bytes))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the PNG is damaged: wrong checksum in the "
                       "chunk at byte %zu", pic->name, w->at);
    if (!memcmp(type, "IDAT", 4))
        w->n_packed += n_bytes;
    else if (!memcmp(type, "IEND", 4))
        w->done = 1;
    else if (!is_first && is_critical(type) && memcmp(type, "PLTE", 4))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a PNG with a %.4s chunk is not supported",
                       pic->name, (const char *)type);
    w->at += 12 + (size_t)n_bytes;
    return SVLM_OK;
}

svlm_status sv_check_png(sv_picture *pic, svlm_error *err)
{
    walk w = { .pic = pic, .at = 8 };
    crc_init(w.crc);
    while (!w.done) {
        svlm_status st = read_chunk(&w, err);
        if (st)
            return st;
    }
    if (w.n_packed < w.n_raw / MAX_RATIO)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the PNG is damaged: %d x %d pixels cannot be "
                       "packed into %" PRIu64 " bytes", pic->name, pic->width, pic->height,
                       w.n_packed);
    return SVLM_OK;
}
