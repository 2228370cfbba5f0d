/* SPDX-License-Identifier: MIT */
/* JPEG: the markers from start to end. What the decoder takes on trust is
 * checked here: that Huffman tables have at most 256 symbols, that scans are
 * few, that the data could hold the pixels. */
#include "image/decode.h"

enum {
    SOF0 = 0xc0, SOF2 = 0xc2, SOF15 = 0xcf, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, RST0 = 0xd0,
    RST7 = 0xd7, EOI = 0xd9, SOS = 0xda, APP1 = 0xe1, APP14 = 0xee
};

/* A progressive picture has about ten scans; each costs a pass over all pixels. */
enum { MAX_SCANS = 100 };

typedef struct walk {
    sv_picture *pic;
    size_t at;
    int n_components;             /* 0: no frame header yet    */
    int n_scans;
    int adobe;                    /* colour transform, -1: unknown */
} walk;

static unsigned u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The marker at or after w->at; what lies before it, picture data with its stuffed
 * zeros and restart markers, is passed over. -1: none until the end. */
static int next_marker(walk *w)
{
    const sv_picture *pic = w->pic;
    while (w->at + 1 < pic->n) {
        const uint8_t *ff = memchr(pic->p + w->at, 0xff, pic->n - w->at - 1);
        if (!ff)
            break;
        w->at = (size_t)(ff - pic->p) + 1;
        int m = pic->p[w->at];
        if (m == 0xff)                          /* fill byte */
            continue;
        w->at++;
        if (m && !(m >= RST0 && m <= RST7))
            return m;
    }
    return -1;
}

static svlm_status check_tables(const walk *w, const uint8_t *p, size_t n, svlm_error *err)
{
    while (n) {
        size_t n_symbols = 0;
        for (size_t i = 1; i <= 16 && n >= 17; i++)
            n_symbols += p[i];
        if (n < 17 || n_symbols > 256 || n < 17 + n_symbols)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG is damaged: a Huffman table with "
                           "%zu symbols at byte %zu", w->pic->name, n_symbols, w->at);
        p += 17 + n_symbols;
        n -= 17 + n_symbols;
    }
    return SVLM_OK;
}

static svlm_status check_frame(walk *w, int marker, const uint8_t *p, size_t n, svlm_error *err)
{
    const char *name = w->pic->name;
    if (marker > SOF2)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a lossless, hierarchical or arithmetically "
                       "coded JPEG is not supported", name);
    if (w->n_components || n < 6 || n != 6 + 3 * (size_t)p[5])
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG is damaged: bad frame header at byte "
                       "%zu", name, w->at);
    if (p[0] != 8)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a JPEG with %d bits per sample is not "
                       "supported", name, p[0]);
    w->n_components = p[5];
    if (p[5] != 1 && p[5] != 3 && p[5] != 4)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a JPEG with %d components is not supported",
                       name, p[5]);
    svlm_status st = sv_check_size(w->pic, u16(p + 3), u16(p + 1), err);
    if (st)
        return st;
    /* A block of 8 x 8 takes at least one bit. */
    if ((uint64_t)w->pic->width * (uint64_t)w->pic->height / 64 > (uint64_t)w->pic->n * 8)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG is damaged: %d x %d pixels cannot be "
                       "packed into %zu bytes", name, w->pic->width, w->pic->height, w->pic->n);
    return SVLM_OK;
}

static svlm_status read_segment(walk *w, int marker, const uint8_t *p, size_t n, svlm_error *err)
{
    if (marker == DHT)
        return check_tables(w, p, n, err);
    if (marker >= SOF0 && marker <= SOF15 && marker != JPG && marker != DAC)
        return check_frame(w, marker, p, n, err);
    if (marker == SOS && (!w->n_components || ++w->n_scans > MAX_SCANS))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG is damaged: %s", w->pic->name,
                       w->n_components ? "too many scans" : "a scan before the frame header");
    if (marker == APP1 && n > 6 && !memcmp(p, "Exif\0", 6))
        w->pic->orientation = sv_exif_orientation(p + 6, n - 6);
    if (marker == APP14 && n >= 12 && !memcmp(p, "Adobe", 5))
        w->adobe = p[11];
    return SVLM_OK;
}

svlm_status sv_check_jpeg(sv_picture *pic, svlm_error *err)
{
    walk w = { .pic = pic, .at = 2, .adobe = -1 };
    pic->orientation = 1;
    for (int marker; (marker = next_marker(&w)) != EOI;) {
        size_t left = pic->n - w.at, n = left >= 2 ? u16(pic->p + w.at) : 0;
        if (marker < 0 || n < 2 || n > left)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG is cut short or damaged at byte %zu",
                           pic->name, w.at);
        svlm_status st = read_segment(&w, marker, pic->p + w.at + 2, n - 2, err);
        if (st)
            return st;
        w.at += n;
    }
    if (!w.n_scans)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the JPEG has no picture data", pic->name);
    /* Without Adobe's marker nobody knows whether the inks are inverted. */
    if (w.n_components == 4 && w.adobe != 0 && w.adobe != 2)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a CMYK JPEG that does not say how its "
                       "colours are stored is not supported", pic->name);
    return SVLM_OK;
}

/* ---- Exif: a TIFF header, then a directory of 12-byte entries ---------------- */

typedef struct tiff { const uint8_t *p; size_t n; int little; } tiff;

static uint32_t number(const tiff *t, size_t at, int n_bytes)
{
    uint32_t v = 0;
    if (at > t->n || t->n - at < (size_t)n_bytes)
        return 0;
    for (int i = 0; i < n_bytes; i++)
        v = v << 8 | t->p[at + (size_t)(t->little ? n_bytes - 1 - i : i)];
    return v;
}

int sv_exif_orientation(const uint8_t *exif, size_t n)
{
    enum { TAG_ORIENTATION = 0x112, TYPE_SHORT = 3 };
    tiff t = { exif, n, n > 0 && exif[0] == 'I' };
    if (number(&t, 2, 2) != 42)
        return 1;
    size_t dir = number(&t, 4, 4);
    uint32_t n_entries = number(&t, dir, 2);
    for (uint32_t i = 0; i < n_entries; i++) {
        size_t at = dir + 2 + 12 * (size_t)i;
        if (number(&t, at, 2) != TAG_ORIENTATION || number(&t, at + 2, 2) != TYPE_SHORT)
            continue;
        uint32_t v = number(&t, at + 8, 2);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}
