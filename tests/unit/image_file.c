/* SPDX-License-Identifier: MIT */
/* lib/image/image_file.c: every kind of picture we take, and how callers ask. */
#include "golden.h"
#include "faults.h"
#include "picture.h"

static blob file, other;

/* ---- kinds of pictures ---------------------------------------------------- */

/* Every colour type and depth, interlaced or not, with and without transparency. */
static void test_png_kinds(void **state)
{
    (void)state;
    static const int kinds[][2] = {
        { 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 16 }, { 2, 8 }, { 2, 16 }, { 3, 1 },
        { 3, 2 }, { 3, 4 }, { 3, 8 }, { 4, 8 }, { 4, 16 }, { 6, 8 }, { 6, 16 }
    };
    sv_rng rng = { check_seed() };
    for (size_t i = 0; i < 4 * sizeof kinds / sizeof kinds[0]; i++) {
        png_kind k = { kinds[i / 4][0], kinds[i / 4][1], (int)i & 1, (int)i >> 1 & 1 };
        uint8_t want[SAMPLE_H][SAMPLE_W][3];
        if (k.transparent && k.color & 4)
            continue;
        blob_png(&file, &k, &rng, want);
        svlm_image *image = decode_ok(&file, NULL);
        CHECK(svlm_image_width(image) == SAMPLE_W && svlm_image_height(image) == SAMPLE_H);
        if (memcmp(svlm_image_pixels(image), want, sizeof want))
            fail_msg("colour type %d, depth %d, interlaced %d, transparent %d", k.color, k.depth,
                     k.interlace, k.transparent);
        svlm_image_close(image);
    }
}

/* The golden row of this file clips samples; the rule is their high byte. */
static void test_gray16(void **state)
{
    (void)state;
    svlm_image *image;
    CHECK(!svlm_image_open(&image, golden_path("images/gray16.png"), NULL, NULL));
    const uint8_t *p = svlm_image_pixels(image);
    int n = svlm_image_width(image) * svlm_image_height(image), levels = 0;
    uint8_t seen[256] = { 0 };
    for (int i = 0; i < n; i++) {
        CHECK(p[3 * i] == p[3 * i + 1] && p[3 * i] == p[3 * i + 2]);
        levels += !seen[p[3 * i]]++;
    }
    CHECK(levels > 100 && seen[255] < n / 10);
    svlm_image_close(image);
}

static void test_bmp_kinds(void **state)
{
    (void)state;
    static const int bits[] = { 1, 4, 8, 16, 24, 32 };
    for (size_t i = 0; i < 12; i++) {
        int depth = bits[i / 2], mask = depth <= 8 ? (1 << depth) - 1 : 255;
        blob_bmp(&file, depth, (int)i & 1);
        svlm_image *image = decode_ok(&file, NULL);
        CHECK(svlm_image_width(image) == 5 && svlm_image_height(image) == 3);
        for (int v = 0; v < 15; v++) {
            const uint8_t *p = svlm_image_pixels(image) + 3 * v;
            int c = v & mask;
            uint8_t blue = (uint8_t)(depth == 16 ? v << 3 | v >> 2 : v * 9);
            if (depth <= 8)
                CHECK(p[0] == c + 1 && p[1] == (uint8_t)(c * 16) && p[2] == (uint8_t)(200 - c));
            else
                CHECK(p[0] == 0 && p[1] == 0 && p[2] == blue);
        }
        svlm_image_close(image);
        for (size_t n = 0; n < file.n; n++) {
            other.n = 0;
            blob_put(&other, file.p, n);
            refuse(&other, n == 0 || n >= 2 ? SVLM_ERR_FORMAT : SVLM_ERR_UNSUPPORTED, "");
        }
    }
    blob_bmp(&file, 8, 0);
    file.p[30] = 1;
    refuse(&file, SVLM_ERR_UNSUPPORTED, "compressed");
    blob_bmp(&file, 24, 0);
    file.p[25] = 0x80;                          /* the most negative height there is */
    refuse(&file, SVLM_ERR_LIMIT, "");
}

/* ---- orientation ---------------------------------------------------------- */

/* The standard's own words: which side of the scene the stored row 0 and the stored
 * column 0 are. */
static const char sides[9][2] = { "", "TL", "TR", "BR", "BL", "LT", "RT", "RB", "LB" };

static void check_upright(const svlm_image *stored, const svlm_image *upright, const char *side)
{
    int w = svlm_image_width(stored), h = svlm_image_height(stored);
    int W2 = svlm_image_width(upright), H2 = svlm_image_height(upright);
    int swaps = side[0] == 'L' || side[0] == 'R';
    CHECK(W2 == (swaps ? h : w) && H2 == (swaps ? w : h));
    for (int r = 0; r < h; r++)
        for (int c = 0; c < w; c++) {
            int x = 0, y = 0;
            for (int i = 0; i < 2; i++) {
                int v = i ? c : r;
                switch (side[i]) {
                case 'T': y = v; break;
                case 'B': y = H2 - 1 - v; break;
                case 'L': x = v; break;
                case 'R': x = W2 - 1 - v; break;
                }
            }
            CHECK(!memcmp(svlm_image_pixels(stored) + 3 * (r * w + c),
                          svlm_image_pixels(upright) + 3 * (y * W2 + x), 3));
        }
}

static void test_orientation(void **state)
{
    (void)state;
    svlm_image_options rotate;
    SVLM_INIT(&rotate);
    rotate.exif_rotate = 1;
    for (int o = 0; o <= 9; o++)
        for (int little = 0; little < 2; little++) {
            blob_load(&file, "photo444.jpg");
            blob_exif(&file, little, o);
            svlm_image *stored = decode_ok(&file, NULL), *upright = decode_ok(&file, &rotate);
            check_upright(stored, upright, sides[o >= 1 && o <= 8 ? o : 1]);
            svlm_image_close(stored);
            svlm_image_close(upright);
        }
    blob_load(&file, "exif6.jpg");
    svlm_image *image = decode_ok(&file, &rotate);
    CHECK(svlm_image_width(image) == 100 && svlm_image_height(image) == 160);
    svlm_image_close(image);
}

/* ---- arguments and memory ------------------------------------------------- */

static void test_from_rgb(void **state)
{
    (void)state;
    uint8_t rgb[2][8] = { { 1, 2, 3, 4, 5, 6, 99, 99 }, { 7, 8, 9, 10, 11, 12 } };
    svlm_image *image;
    CHECK(!svlm_image_from_rgb(&image, rgb[0], 2, 2, sizeof rgb[0], NULL));
    for (int i = 0; i < 12; i++)
        CHECK(svlm_image_pixels(image)[i] == i + 1);
    CHECK(svlm_image_ref(image) == image);
    svlm_image_close(image);
    CHECK(svlm_image_pixels(image)[11] == 12);
    svlm_image_close(image);
    CHECK(svlm_image_from_rgb(&image, rgb[0], 2, 2, 5, NULL) == SVLM_ERR_ARG && !image);
    CHECK(svlm_image_from_rgb(&image, NULL, 2, 2, 8, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_image_from_rgb(NULL, rgb[0], 2, 2, 8, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_image_from_rgb(&image, rgb[0], -2, 2, 8, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_image_from_rgb(&image, rgb[0], 2, 0, 8, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_image_from_rgb(&image, rgb[0], INT32_MAX, INT32_MAX, SIZE_MAX, NULL) ==
          SVLM_ERR_LIMIT);
}

static void test_arguments(void **state)
{
    (void)state;
    svlm_image *image;
    svlm_error err;
    svlm_image_options opt = { 0 };
    CHECK(svlm_image_open(&image, NULL, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_image_open(NULL, "x", NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_image_open(&image, golden_path("images/none.png"), NULL, &err) == SVLM_ERR_IO);
    CHECK(strstr(err.message, "none.png"));
    CHECK(svlm_image_open(&image, golden_path("images"), NULL, &err) == SVLM_ERR_IO);
    CHECK(svlm_image_open(&image, golden_path("images/one.png"), &opt, &err) == SVLM_ERR_ARG);
    CHECK(svlm_image_decode(&image, NULL, 5, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_image_decode(&image, "", 0, NULL, &err) == SVLM_ERR_FORMAT);
    CHECK(!svlm_image_width(NULL) && !svlm_image_height(NULL) && !svlm_image_pixels(NULL));
    CHECK(!svlm_image_ref(NULL));
    svlm_image_close(NULL);
}

/* Fails the first, the second, ... allocation of decoding what is in file. */
static void fail_each(const char *what)
{
    svlm_image_options opt;
    svlm_image *image = NULL;
    svlm_error err;
    size_t alive = sv_alloc_alive();
    int n = 0;
    SVLM_INIT(&opt);
    opt.exif_rotate = 1;
    for (; !image; n++) {
        fault_at(n);
        svlm_status st = decode_with(&file, &opt, &image, &err);
        fault_end();
        if (st && st != SVLM_ERR_NOMEM)
            fail_msg("%s, allocation %d: status %d, %s", what, n, st, err.message);
        if (!image && sv_alloc_alive() != alive)
            fail_msg("%s, allocation %d: a leak", what, n);
    }
    CHECK(n >= 3);
    svlm_image_close(image);
    CHECK(sv_alloc_alive() == alive);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    static const char *const pictures[] = {
        "photo.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "exif6.jpg", "gray16.png"
    };
    static const png_kind kinds[] = {
        { 6, 16, 1, 0 }, { 2, 8, 1, 1 }, { 3, 4, 1, 1 }, { 0, 1, 0, 1 }
    };
    sv_rng rng = { check_seed() };
    uint8_t samples[SAMPLE_H][SAMPLE_W][3];
    for (int i = 0; i < 6; i++) {
        blob_load(&file, pictures[i]);
        fail_each(pictures[i]);
    }
    for (int i = 0; i < 4; i++) {
        blob_png(&file, &kinds[i], &rng, samples);
        fail_each("a PNG");
    }
    blob_bmp(&file, 24, 0);
    fail_each("a BMP");
    svlm_image *image;
    fault_at(0);
    CHECK(svlm_image_open(&image, golden_path("images/one.png"), NULL, NULL) == SVLM_ERR_NOMEM);
    fault_at(1);
    CHECK(svlm_image_from_rgb(&image, samples[0][0], SAMPLE_W, SAMPLE_H, SAMPLE_W * 3, NULL) ==
          SVLM_ERR_NOMEM);
    fault_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_gray16),
        cmocka_unit_test(test_bmp_kinds),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_from_rgb),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
