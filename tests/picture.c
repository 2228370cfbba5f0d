/* SPDX-License-Identifier: MIT */
/* Picture files made by tests. */
#include "picture.h"

#include <png.h>

#include "golden.h"

void blob_put(blob *b, const void *bytes, size_t n)
{
    CHECK(n <= sizeof b->p - b->n);
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
}

void blob_be(blob *b, uint32_t v, int n_bytes)
{
    for (int i = n_bytes - 1; i >= 0; i--)
        blob_put(b, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

void blob_le(blob *b, uint32_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        blob_put(b, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

void blob_chunk(blob *b, const char *type, const void *body, size_t n)
{
    blob_be(b, (uint32_t)n, 4);
    size_t from = b->n;
    blob_put(b, type, 4);
    blob_put(b, body, n);
    uint32_t crc = UINT32_MAX;                  /* by the bit, unlike the library's */
    for (size_t i = from; i < b->n; i++) {
        crc ^= b->p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    blob_be(b, ~crc, 4);
}

void blob_png_header(blob *b, uint32_t w, uint32_t h, int depth, int color)
{
    blob head = { .n = 0 };
    blob_be(&head, w, 4);
    blob_be(&head, h, 4);
    blob_put(&head, (uint8_t[]){ (uint8_t)depth, (uint8_t)color, 0, 0, 0 }, 5);
    b->n = 0;
    blob_put(b, "\x89PNG\r\n\x1a\n", 8);
    blob_chunk(b, "IHDR", head.p, head.n);
}

void blob_load(blob *b, const char *name)
{
    size_t n;
    void *p = golden_read(golden_path("images/%s", name), &n);
    b->n = 0;
    blob_put(b, p, n);
    free(p);
}

/* The first marker of this kind, at its 0xff. */
size_t blob_marker(const blob *b, int marker)
{
    for (size_t at = 2; at + 4 <= b->n; at += 2u + 256u * b->p[at + 2] + b->p[at + 3])
        if (b->p[at + 1] == marker)
            return at;
    fail_msg("no marker %x", (unsigned)marker);
    return 0;
}

/* Puts n bytes in at a place of the file. */
void blob_insert(blob *b, size_t at, const void *bytes, size_t n)
{
    static blob tail;
    CHECK(at <= b->n);
    memcpy(tail.p, b->p + at, b->n - at);
    tail.n = b->n - at;
    b->n = at;
    blob_put(b, bytes, n);
    blob_put(b, tail.p, tail.n);
}

static void png_out(png_structp png, png_bytep p, size_t n)
{
    blob_put(png_get_io_ptr(png), p, n);
}

static void png_flush_nothing(png_structp png)
{
    (void)png;
}

static const png_color *palette(int i)
{
    static png_color c;
    c = (png_color){ (uint8_t)(i * 7), (uint8_t)(255 - i), (uint8_t)(i * 31 + 5) };
    return &c;
}

/* Writes random samples with libpng; want is what they mean as RGB. */
void blob_png(blob *b, const png_kind *k, sv_rng *rng, uint8_t want[SAMPLE_H][SAMPLE_W][3])
{
    int n = k->color == 2 ? 3 : k->color == 6 ? 4 : k->color == 4 ? 2 : 1;
    int max = (1 << k->depth) - 1, is_grey = k->color == 0 || k->color == 4;
    uint8_t rows[SAMPLE_H][SAMPLE_W * 8] = { { 0 } }, *row[SAMPLE_H];
    for (int y = 0; y < SAMPLE_H; y++) {
        row[y] = rows[y];
        for (int i = 0; i < SAMPLE_W * n; i++) {
            int v = (int)sv_rng_below(rng, (uint32_t)max + 1), c = i % n;
            if (k->depth == 16) {
                rows[y][2 * i] = (uint8_t)(v >> 8);
                rows[y][2 * i + 1] = (uint8_t)v;
            } else {
                int bit = i * k->depth;
                rows[y][bit / 8] |= (uint8_t)(v << (8 - k->depth - bit % 8));
            }
            int level = k->depth == 16 ? v >> 8 : v * 255 / max;
            uint8_t *to = want[y][i / n];
            if (k->color == 3)
                memcpy(to, palette(v), 3);
            else if (is_grey && c == 0)
                memset(to, level, 3);
            else if (!is_grey && c < 3)
                to[c] = (uint8_t)level;
        }
    }
    b->n = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    CHECK(png && info && !setjmp(png_jmpbuf(png)));
    png_set_write_fn(png, b, png_out, png_flush_nothing);
    png_set_IHDR(png, info, SAMPLE_W, SAMPLE_H, k->depth, k->color, k->interlace, 0, 0);
    if (k->color == 3) {
        png_color colors[256];
        for (int i = 0; i <= max; i++)
            colors[i] = *palette(i);
        png_set_PLTE(png, info, colors, max + 1);
    }
    if (k->transparent)
        png_set_tRNS(png, info, (uint8_t[]){ 0, 77 }, k->color == 3 ? 2 : 1,
                     &(png_color_16){ .gray = 1, .red = 1, .green = 1, .blue = 1 });
    png_write_info(png, info);
    png_write_image(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

/* A BMP of 5 x 3 pixels; colour (x, y) is x + 5y in the palette, or derived from it. */
void blob_bmp(blob *b, int bits, int top_down)
{
    int row = (5 * bits + 31) / 32 * 4, n_colors = bits <= 8 ? 1 << bits : 0;
    uint32_t offset = 54 + 4 * (uint32_t)n_colors;
    b->n = 0;
    blob_put(b, "BM", 2);
    blob_le(b, offset + 3 * (uint32_t)row, 4);
    blob_le(b, 0, 4);
    blob_le(b, offset, 4);
    blob_le(b, 40, 4);
    blob_le(b, 5, 4);
    blob_le(b, top_down ? (uint32_t)-3 : 3, 4);
    blob_le(b, 1, 2);
    blob_le(b, (uint32_t)bits, 2);
    for (int i = 0; i < 6; i++)
        blob_le(b, 0, 4);
    for (int i = 0; i < n_colors; i++)
        blob_put(b, (uint8_t[]){ (uint8_t)(200 - i), (uint8_t)(i * 16), (uint8_t)(i + 1), 0 }, 4);
    for (int i = 0; i < 3; i++) {
        uint8_t line[32] = { 0 };
        for (int x = 0; x < 5; x++) {
            int v = x + 5 * (top_down ? i : 2 - i);
            if (bits <= 8)
                line[x * bits / 8] |= (uint8_t)((v & (n_colors - 1)) << (8 - bits - x * bits % 8));
            else if (bits == 16)
                line[2 * x] = (uint8_t)v;       /* blue of 5 bits */
            else
                line[x * bits / 8] = (uint8_t)(v * 9);
        }
        blob_put(b, line, (size_t)row);
    }
}

void blob_exif(blob *b, int little, int orientation)
{
    blob exif = { .n = 0 };
    void (*number)(blob *, uint32_t, int) = little ? blob_le : blob_be;
    blob_put(&exif, "\xff\xe1\0\x22" "Exif\0\0", 10);
    blob_put(&exif, little ? "II" : "MM", 2);
    number(&exif, 42, 2);
    number(&exif, 8, 4);
    number(&exif, 1, 2);
    number(&exif, 0x112, 2);
    number(&exif, 3, 2);
    number(&exif, 1, 4);
    number(&exif, (uint32_t)orientation, 2);
    number(&exif, 0, 2);
    number(&exif, 0, 4);
    CHECK(exif.n == 2 + 0x22);
    blob_insert(b, 2, exif.p, exif.n);
}

svlm_status decode_with(const blob *b, const svlm_image_options *opt, svlm_image **image,
                               svlm_error *err)
{
    memset(err, 0, sizeof *err);
    svlm_status st = svlm_image_decode(image, b->p, b->n, opt, err);
    CHECK(st <= 0 && (st == SVLM_OK) == (*image != NULL));
    CHECK(err->status == st && (st == SVLM_OK || err->message[0]));
    return st;
}

svlm_image *decode_ok(const blob *b, const svlm_image_options *opt)
{
    svlm_image *image;
    svlm_error err;
    if (decode_with(b, opt, &image, &err))
        fail_msg("%s", err.message);
    return image;
}

void refuse(const blob *b, svlm_status want, const char *words)
{
    svlm_image *image;
    svlm_error err;
    svlm_status st = decode_with(b, NULL, &image, &err);
    if (st != want || !strstr(err.message, words))
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", st, err.message, want, words);
}
