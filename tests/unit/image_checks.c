/* SPDX-License-Identifier: MIT */
/* lib/image/sniff.c, check_*.c and what guards stb_image: other formats, damaged
 * files, files that lie. */
#include "picture.h"

#include "image/decode.h"

static blob file, other;

static void test_other_formats(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t n; const char *what; } cases[] = {
        { "RIFF\x20\0\0\0WEBPVP8 ", 16, "a WebP picture" },
        { "\0\0\0\x1c""ftypavif\0\0\0\0", 16, "an AVIF picture" },
        { "\0\0\0\x1c""ftypheic\0\0\0\0", 16, "a HEIC picture" },
        { "\0\0\0\x1c""ftypisom\0\0\0\0", 16, "an MP4 or QuickTime video" },
        { "GIF89a\1\0\1\0", 10, "a GIF picture" },
        { "<svg xmlns='http://www.w3.org/2000/svg'/>", 41, "an SVG drawing" },
        { "<?xml version='1.0'?>\n<SVG/>", 28, "an SVG drawing" },
        { "<!DOCTYPE html><title>404 Not Found</title>", 43, "an HTML page" },
        { "\n<HTML><body>", 13, "an HTML page" },
        { "{\"error\": 404}", 14, "text" },
        { "II*\0\x08\0\0\0", 8, "a TIFF picture" },
        { "GGUF\3\0\0\0", 8, "a GGUF model" },
        { "%PDF-1.7", 8, "a PDF document" },
        { "\0\0\0\0\0\0\0\0", 8, "not a format we know" },
        { "\xff\xd8", 2, "text" },
    };
    for (size_t i = 0; i + 1 < sizeof cases / sizeof cases[0]; i++) {
        other.n = 0;
        blob_put(&other, cases[i].bytes, cases[i].n);
        refuse(&other, SVLM_ERR_UNSUPPORTED, cases[i].what);
    }
}

static const char *const pictures[] = {
    "photo.jpg", "photo444.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "exif6.jpg",
    "gray16.png", "palette.png", "rgba.png", "bilevel.png", "one.png",
};
enum { N_PICTURES = sizeof pictures / sizeof pictures[0] };

static void test_truncated(void **state)
{
    (void)state;
    size_t alive = sv_alloc_alive();
    for (int i = 0; i < N_PICTURES; i++) {
        blob_load(&file, pictures[i]);
        for (size_t n = 8; n < file.n; n += n < 700 || n + 100 > file.n ? 1 : 211) {
            svlm_image *image;
            svlm_error err;
            void *cut = malloc(n);
            memcpy(cut, file.p, n);
            svlm_status st = svlm_image_decode(&image, cut, n, NULL, &err);
            free(cut);
            if (st != SVLM_ERR_FORMAT || image)
                fail_msg("%s, the first %zu bytes: status %d", pictures[i], n, st);
        }
    }
    CHECK(sv_alloc_alive() == alive);
}

static void test_corrupted(void **state)
{
    (void)state;
    sv_rng rng = { check_seed() };
    size_t alive = sv_alloc_alive();
    int n_decoded = 0;
    for (int round = 0; round < 600; round++) {
        svlm_image *image;
        svlm_error err;
        blob_load(&file, pictures[round % N_PICTURES]);
        for (uint32_t i = 0, n = 1 + sv_rng_below(&rng, 4); i < n; i++)
            file.p[sv_rng_below(&rng, (uint32_t)file.n)] = (uint8_t)sv_rng_next(&rng);
        n_decoded += !decode_with(&file, NULL, &image, &err);
        svlm_image_close(image);
    }
    CHECK(n_decoded > 0);                       /* JPEG data has no checksums */
    CHECK(sv_alloc_alive() == alive);
}

static size_t largest_request;

static int note_request(sv_mem kind, size_t n_bytes)
{
    (void)kind;
    largest_request = n_bytes > largest_request ? n_bytes : largest_request;
    return 0;
}

/* Huge by the header alone: refused before anything large is asked for. */
static void test_bombs(void **state)
{
    (void)state;
    svlm_image_options opt;
    svlm_image *image;
    svlm_error err;
    SVLM_INIT(&opt);
    sv_alloc_fault = note_request;
    blob_png_header(&file, 60000, 60000, 8, 2);
    blob_chunk(&file, "IDAT", other.p, 40000);
    blob_chunk(&file, "IEND", NULL, 0);
    refuse(&file, SVLM_ERR_LIMIT, "60000 x 60000");
    blob_png_header(&file, 8000, 8000, 16, 6);
    blob_chunk(&file, "IDAT", other.p, 40000);
    blob_chunk(&file, "IEND", NULL, 0);
    refuse(&file, SVLM_ERR_FORMAT, "cannot be packed");
    blob_png_header(&file, UINT32_MAX, 1, 8, 2);
    refuse(&file, SVLM_ERR_LIMIT, "");
    blob_png_header(&file, 0, 5, 8, 2);
    refuse(&file, SVLM_ERR_FORMAT, "0 x 5");
    blob_load(&file, "photo.jpg");
    size_t at = blob_marker(&file, 0xc0);
    memset(file.p + at + 5, 0xff, 4);
    refuse(&file, SVLM_ERR_LIMIT, "65535 x 65535");
    memcpy(file.p + at + 5, "\x1f\xff\x1f\xff", 4);
    refuse(&file, SVLM_ERR_FORMAT, "cannot be packed");
    blob_load(&file, "photo.jpg");
    opt.max_pixels = 320 * 240 - 1;
    CHECK(decode_with(&file, &opt, &image, &err) == SVLM_ERR_LIMIT);
    sv_alloc_fault = NULL;
    CHECK(largest_request < 1 << 20);
    opt.max_pixels++;
    svlm_image_close(decode_ok(&file, &opt));
}

/* Deflate's fixed codes: a zero, then copies of 258 bytes from one byte back. */
static size_t deflate_zeros(uint8_t *to, size_t n_copies)
{
    size_t bit = 0;
    memcpy(to, "\x78\x01", 2);
    to += 2;
    memset(to, 0, n_copies * 13 / 8 + 16);
#define BIT(v) (void)(to[bit / 8] |= (uint8_t)((v) << bit % 8), bit++)
    BIT(1); BIT(1); BIT(0);                     /* last block, fixed codes */
    BIT(0); BIT(0); BIT(1); BIT(1); BIT(0); BIT(0); BIT(0); BIT(0);         /* literal 0 */
    for (size_t i = 0; i < n_copies; i++) {
        static const uint8_t length_258[8] = { 1, 1, 0, 0, 0, 1, 0, 1 };
        for (int k = 0; k < 8; k++)
            BIT(length_258[k]);
        bit += 5;                               /* distance 1 */
    }
    bit += 7;                                   /* end of block */
#undef BIT
    return 2 + (bit + 7) / 8 + 4;               /* and a checksum that stb ignores */
}

static void test_deflate_bomb(void **state)
{
    (void)state;
    blob *packed = &other;
    size_t copies = 40000;                      /* 10 MB out of 65 kB */
    blob_png_header(&file, 1, 1, 8, 0);
    packed->n = deflate_zeros(packed->p, copies);
    blob_chunk(&file, "IDAT", packed->p, packed->n);
    blob_chunk(&file, "IEND", NULL, 0);
    largest_request = 0;
    sv_alloc_fault = note_request;
    refuse(&file, SVLM_ERR_FORMAT, "more data than its size allows");
    CHECK(largest_request < 1 << 20);
    sv_alloc_fault = NULL;
    /* In a text chunk it is not even unpacked. */
    blob_png_header(&file, 1, 1, 8, 0);
    blob_chunk(&file, "zTXt", packed->p, packed->n);
    packed->n = deflate_zeros(packed->p, 1);
    blob_chunk(&file, "IDAT", packed->p, packed->n);
    blob_chunk(&file, "IEND", NULL, 0);
    svlm_image_close(decode_ok(&file, NULL));
}

static void test_bad_png(void **state)
{
    (void)state;
    blob_load(&file, "palette.png");
    file.p[29] ^= 1;
    refuse(&file, SVLM_ERR_FORMAT, "checksum");
    blob_load(&file, "palette.png");
    file.p[file.n - 20] ^= 1;
    refuse(&file, SVLM_ERR_FORMAT, "checksum");
    blob_png_header(&file, 1, 1, 8, 0);
    blob_chunk(&file, "CgBI", "\0\0\0\0", 4);
    refuse(&file, SVLM_ERR_UNSUPPORTED, "CgBI");
    blob_png_header(&file, 1, 1, 16, 3);
    refuse(&file, SVLM_ERR_FORMAT, "depth 16, colour type 3");
    blob_png_header(&file, 1, 1, 8, 0);
    blob_be(&file, 0x7fffffff, 4);
    blob_put(&file, "IDAT", 4);
    blob_be(&file, 0, 4);
    refuse(&file, SVLM_ERR_FORMAT, "cut short");
    blob_png_header(&file, 1, 1, 8, 0);
    blob_chunk(&file, "IEND", NULL, 0);
    refuse(&file, SVLM_ERR_FORMAT, "");
}

static void test_bad_jpeg(void **state)
{
    (void)state;
    /* 4080 symbols: the decoder's table has room for 256. */
    enum { LENGTH = 2 + 17 + 4080 };
    uint8_t table[2 + LENGTH] = { 0xff, 0xc4, LENGTH >> 8, LENGTH & 255, 0x13 };
    memset(table + 5, 255, 16);
    blob_load(&file, "photo.jpg");
    blob_insert(&file, 2, table, sizeof table);
    refuse(&file, SVLM_ERR_FORMAT, "Huffman table");
    blob_load(&file, "photo.jpg");
    file.p[blob_marker(&file, 0xc4) + 5] = 255;
    refuse(&file, SVLM_ERR_FORMAT, "Huffman table");
    blob_load(&file, "photo.jpg");
    file.p[blob_marker(&file, 0xc0) + 1] = 0xc9;
    refuse(&file, SVLM_ERR_UNSUPPORTED, "arithmetically");
    blob_load(&file, "photo.jpg");
    file.p[blob_marker(&file, 0xc0) + 4] = 12;
    refuse(&file, SVLM_ERR_UNSUPPORTED, "12 bits");
    blob_load(&file, "cmyk.jpg");
    file.p[blob_marker(&file, 0xee) + 4] = 'X';
    refuse(&file, SVLM_ERR_UNSUPPORTED, "CMYK");
    blob_load(&file, "progressive.jpg");
    size_t at = blob_marker(&file, 0xda);
    other.n = 0;
    blob_put(&other, file.p + at, 2u + file.p[at + 3]);
    for (int i = 0; i < 120; i++)
        blob_insert(&file, at, other.p, other.n);
    refuse(&file, SVLM_ERR_FORMAT, "too many scans");
    blob_load(&file, "photo.jpg");
    memcpy(other.p, file.p + blob_marker(&file, 0xda), 14);
    blob_insert(&file, 2, other.p, 14);
    refuse(&file, SVLM_ERR_FORMAT, "before the frame header");
}

static void test_hostile_exif(void **state)
{
    (void)state;
    sv_rng rng = { check_seed() };
    blob good = { { 0xff, 0xd8 }, 2 };
    blob_exif(&good, 0, 6);
    for (int round = 0; round < 20000; round++) {
        uint8_t *exif = malloc(26);             /* its own block: overruns are seen */
        size_t n = sv_rng_below(&rng, 27);
        memcpy(exif, good.p + 12, 26);
        for (int i = 0; i < 3; i++)
            exif[sv_rng_below(&rng, 26)] = (uint8_t)sv_rng_next(&rng);
        uint8_t *cut = realloc(exif, n ? n : 1);
        int o = sv_exif_orientation(cut, n);
        CHECK(o >= 1 && o <= 8);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_corrupted),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_deflate_bomb),
        cmocka_unit_test(test_bad_png),
        cmocka_unit_test(test_bad_jpeg),
        cmocka_unit_test(test_hostile_exif),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
