/* SPDX-License-Identifier: MIT */
/* lib/image: pictures against what Pillow makes of them. */
#include "golden.h"
#include "faults.h"

#include <math.h>

#include "base/rng.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "image/resize.h"

static const sv_preproc clip = {
    .image_size = 336, .n_threads = 2,
    .mean = { 0.48145466f, 0.4578275f, 0.40821073f },
    .std = { 0.26862954f, 0.26130258f, 0.27577711f },
};

static svlm_image *open_picture(const char *path)
{
    svlm_image *image;
    svlm_error err;
    if (svlm_image_open(&image, path, NULL, &err))
        fail_msg("%s", err.message);
    return image;
}

static int largest_difference(const svlm_image *a, const svlm_image *b)
{
    int n = svlm_image_width(a) * svlm_image_height(a) * 3, worst = 0;
    CHECK(svlm_image_width(a) == svlm_image_width(b));
    CHECK(svlm_image_height(a) == svlm_image_height(b));
    for (int i = 0; i < n; i++) {
        int d = abs(svlm_image_pixels(a)[i] - svlm_image_pixels(b)[i]);
        worst = d > worst ? d : worst;
    }
    return worst;
}

/* JPEG decoders may differ by one level in each of Y, Cb and Cr (the standard leaves
 * them that much), which is up to 1 + 1.772 levels of blue, 3 after rounding; the
 * bicubic's overshoot can make that 4. On average they agree better: where libjpeg
 * alternates in rounding interpolated chroma, stb rounds up, which is 1/16 of a level of
 * Cb or Cr, 0.11 of blue; 0.15 leaves room for their transforms. */
enum { LOSSY = 4 };
static const double LOSSY_MEAN = 0.15;

/* Every 14th pixel from (3, 3), and the sum of all. */
static void check_grid(const json_t *row, const char *mode, const svlm_image *image, int bound)
{
    const json_t *want = json_object_get(row, mode);
    npy grid = golden_npy(golden_path("goldens/units/%s",
                                      json_string_value(json_object_get(want, "grid"))));
    int size = svlm_image_width(image), n = (size - 3 + 13) / 14, worst = 0;
    const uint8_t *p = svlm_image_pixels(image);
    CHECK(svlm_image_height(image) == size);
    CHECK(grid.dim[0] == (size_t)n && grid.dim[1] == (size_t)n && grid.dim[2] == 3);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++)
            for (int c = 0; c < 3; c++) {
                int d = abs(p[((3 + 14 * y) * size + 3 + 14 * x) * 3 + c] -
                            grid.u[(y * n + x) * 3 + c]);
                worst = d > worst ? d : worst;
            }
    int64_t sum = 0;
    for (int i = 0; i < size * size * 3; i++)
        sum += p[i];
    int64_t off = sum - json_integer_value(json_object_get(want, "sum"));
    if (worst > bound || fabs((double)off) > (bound ? LOSSY_MEAN * size * size * 3 : 0))
        fail_msg("%s, %s: off by up to %d, the sum by %lld",
                 json_string_value(json_object_get(row, "image")), mode, worst, (long long)off);
    npy_free(&grid);
}

/* The size, the mean of each channel, the first pixels. */
static void check_decoded(const json_t *row, const svlm_image *image, int bound)
{
    const json_t *mean = json_object_get(row, "decoded_mean"), *p, *v;
    size_t n = (size_t)svlm_image_width(image) * (size_t)svlm_image_height(image), x, c;
    CHECK(svlm_image_width(image) == json_integer_value(json_object_get(row, "width")));
    CHECK(svlm_image_height(image) == json_integer_value(json_object_get(row, "height")));
    for (c = 0; c < 3; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += svlm_image_pixels(image)[3 * i + c];
        double off = sum / (double)n - json_real_value(json_array_get(mean, c));
        CHECK(fabs(off) <= (bound ? LOSSY_MEAN : 1e-4));
    }
    json_array_foreach(json_object_get(row, "decoded_first_row"), x, p)
        json_array_foreach(p, c, v)
            CHECK(llabs(svlm_image_pixels(image)[3 * x + c] - json_integer_value(v)) <= bound);
}

static void test_goldens(void **state)
{
    (void)state;
    json_t *rows = golden_json(golden_path("goldens/units/images.json")), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        const char *name = json_string_value(json_object_get(row, "image"));
        svlm_image *image = open_picture(golden_path("images/%s", name)), *out;
        int bound = json_is_true(json_object_get(row, "lossy")) ? LOSSY : 0;
        sv_preproc p = clip, small = clip;
        small.image_size = 224;
        /* Of 16-bit samples the written rule is to keep the high byte; this row alone was
         * made by clipping them to 255. image_file.c checks the rule. */
        if (!strcmp(name, "gray16.png")) {
            svlm_image_close(image);
            continue;
        }
        check_decoded(row, image, bound);
        CHECK(!sv_preprocess_pad(&out, image, &p, NULL));
        check_grid(row, "pad336", out, bound);
        svlm_image_close(out);
        CHECK(!sv_preprocess_crop(&out, image, &p, NULL));
        check_grid(row, "crop336", out, bound);
        svlm_image_close(out);
        CHECK(!sv_preprocess_pad(&out, image, &small, NULL));
        check_grid(row, "pad224", out, bound);
        svlm_image_close(out);
        svlm_image_close(image);
    }
    json_decref(rows);
}

static void test_vision_inputs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *image;
        int size;
        svlm_preproc mode;
        int n_inputs;
    } cases[] = {
        { "t1/vision-square336-pad", "square336.png", 336, SVLM_PREPROC_PAD, 1 },
        { "t1/vision-tall-pad", "tall.png", 336, SVLM_PREPROC_PAD, 1 },
        { "t1/vision-wide-crop", "wide.png", 336, SVLM_PREPROC_CROP, 1 },
        { "t1/vision-wide-pad", "wide.png", 336, SVLM_PREPROC_PAD, 1 },
        { "t2/vision-square224-pad", "square224.png", 224, SVLM_PREPROC_PAD, 1 },
        { "t2/vision-tall-pad", "tall.png", 224, SVLM_PREPROC_PAD, 1 },
        { "t2/vision-wide-pad", "wide.png", 224, SVLM_PREPROC_PAD, 1 },
        { "t3/vision-square336-anyres", "square336.png", 112, SVLM_PREPROC_AUTO, 5 },
        { "t3/vision-wide-anyres", "wide.png", 112, SVLM_PREPROC_AUTO, 5 },
        { "t4/vision-square224-pad", "square224.png", 224, SVLM_PREPROC_AUTO, 1 },
        { "t4/vision-wide-pad", "wide.png", 224, SVLM_PREPROC_PAD, 1 },
    };
    static const int32_t pinpoints[] = { 112, 224, 224, 112, 224, 224, 336, 112, 112, 336 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        svlm_image *image = open_picture(golden_path("images/%s", cases[i].image));
        sv_preproc p = clip;
        sv_tiles t;
        p.image_size = cases[i].size;
        if (p.image_size == 112) {
            p.pinpoints = pinpoints;
            p.n_pinpoints = 5;
        }
        CHECK(!sv_tiles_make(&t, image, &p, cases[i].mode, NULL));
        assert_int_equal(t.n_inputs, cases[i].n_inputs);
        for (int k = 0; k < t.n_inputs; k++) {
            svlm_image *want = open_picture(golden_path("goldens/%s/input-%d.png", cases[i].name,
                                                        k));
            assert_int_equal(largest_difference(t.inputs[k], want), 0);
            svlm_image_close(want);
        }
        sv_tiles_free(&t);
        svlm_image_close(image);
    }
}

static svlm_image *random_picture(sv_rng *rng, int w, int h)
{
    svlm_image *image;
    CHECK(!sv_image_new(&image, w, h, NULL));
    for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
        sv_image_data(image)[i] = (uint8_t)sv_rng_next(rng);
    return image;
}

static void paste(svlm_image *on, const svlm_image *image, int x, int y, const uint8_t fill[3])
{
    size_t row = (size_t)svlm_image_width(on) * 3, n = (size_t)svlm_image_width(image) * 3;
    for (size_t i = 0; i < row * (size_t)svlm_image_height(on); i++)
        sv_image_data(on)[i] = fill[i % 3];
    for (size_t i = 0; i < (size_t)svlm_image_height(image); i++)
        memcpy(sv_image_data(on) + (i + (size_t)y) * row + (size_t)x * 3,
               svlm_image_pixels(image) + i * n, n);
}

/* Padding and cropping without building the canvas or the enlarged picture give what
 * building them gives, in every shape, on any number of threads. */
static void test_windows(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 335, 336 }, { 336, 336 }, { 337, 335 }, { 1, 700 },
                                    { 500, 3 }, { 90, 41 }, { 40, 91 }, { 36, 36 } };
    static const uint8_t mean[3] = { 122, 116, 104 };
    sv_rng rng = { check_seed() };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int w = sizes[i][0], h = sizes[i][1], side = w > h ? w : h, shorter = w < h ? w : h;
        sv_preproc p = clip;
        p.image_size = 36;
        svlm_image *image = random_picture(&rng, w, h), *canvas, *want, *got, *cut;
        CHECK(!sv_image_new(&canvas, side, side, NULL));
        paste(canvas, image, (side - w) / 2, (side - h) / 2, mean);
        CHECK(!sv_image_resize(&want, canvas, 36, 36, 1, NULL));
        for (p.n_threads = 0; p.n_threads < 4; p.n_threads++) {
            CHECK(!sv_preprocess_pad(&got, image, &p, NULL));
            CHECK(largest_difference(got, want) == 0);
            svlm_image_close(got);
        }
        svlm_image_close(canvas);
        svlm_image_close(want);
        int big_w = 36 * w / shorter, big_h = 36 * h / shorter;
        CHECK(!sv_image_resize(&want, image, big_w, big_h, 3, NULL));
        CHECK(!svlm_image_from_rgb(&cut, svlm_image_pixels(want) + 3 * ((big_h - 36) / 2 * big_w +
                                                                        (big_w - 36) / 2),
                                   36, 36, (size_t)big_w * 3, NULL));
        CHECK(!sv_preprocess_crop(&got, image, &p, NULL));
        CHECK(largest_difference(got, cut) == 0);
        svlm_image_close(got);
        svlm_image_close(cut);
        svlm_image_close(want);
        svlm_image_close(image);
    }
}

static size_t most_alive;

static int note_alive(sv_mem kind, size_t n_bytes)
{
    (void)kind;
    size_t alive = sv_alloc_alive() + n_bytes;
    most_alive = alive > most_alive ? alive : most_alive;
    return 0;
}

/* 1 x 20000 pixels: their square would take 1.2 GB, enlarged to be cropped 6.7 GB. */
static void test_strips(void **state)
{
    (void)state;
    static const int32_t pinpoints[] = { 336, 672, 672, 336, 336, 1008, 1008, 336 };
    sv_rng rng = { check_seed() };
    for (int turned = 0; turned < 2; turned++) {
        svlm_image *image = random_picture(&rng, turned ? 20000 : 1, turned ? 1 : 20000);
        sv_preproc p = clip;
        p.pinpoints = pinpoints;
        p.n_pinpoints = 4;
        sv_alloc_fault = note_alive;
        most_alive = 0;
        for (int mode = SVLM_PREPROC_PAD; mode <= SVLM_PREPROC_TILES; mode++) {
            sv_tiles t;
            CHECK(!sv_tiles_make(&t, image, &p, mode, NULL));
            CHECK(t.n_inputs == (mode == SVLM_PREPROC_TILES ? 3 : 1));
            sv_tiles_free(&t);
        }
        sv_alloc_fault = NULL;
        CHECK(most_alive < (size_t)128 << 20);
        svlm_image_close(image);
    }
}

static void test_normalize(void **state)
{
    (void)state;
    const uint8_t rgb[12] = { 0, 128, 255, 10, 20, 30, 1, 2, 3, 255, 255, 255 };
    svlm_image *image;
    float out[12];
    CHECK(!svlm_image_from_rgb(&image, rgb, 2, 2, 6, NULL));
    sv_normalize(out, image, &clip);
    for (int i = 0; i < 12; i++)
        CHECK(out[i % 3 * 4 + i / 3] ==
              ((float)rgb[i] / 255.0f - clip.mean[i % 3]) / clip.std[i % 3]);
    svlm_image_close(image);
}

static void check_unpad(int cols, int rows, int w, int h, int x0, int x1, int y0, int y1)
{
    int got[4];
    sv_unpad(cols, rows, w, h, &got[0], &got[1], &got[2], &got[3]);
    assert_int_equal(got[0], x0);
    assert_int_equal(got[1], x1);
    assert_int_equal(got[2], y0);
    assert_int_equal(got[3], y1);
}

static void test_unpad(void **state)
{
    (void)state;
    check_unpad(48, 48, 672, 672, 0, 48, 0, 48);
    check_unpad(16, 16, 400, 250, 0, 16, 3, 13);        /* golden: 10 rows of 16 + 1 */
    check_unpad(48, 24, 100, 100, 12, 36, 0, 24);
    check_unpad(24, 48, 1000, 10, 0, 24, 24, 24);       /* int(0.24) = 0 rows left */
    check_unpad(24, 48, 100, 100, 0, 24, 12, 36);
    check_unpad(24, 72, 7, 20, 0, 24, 2, 70);           /* 24 * 20 / 7 = 68.57 */
}

static void test_bad_tiles(void **state)
{
    (void)state;
    static const int32_t odd[] = { 500, 336 }, zero[] = { 0, 0 }, negative[] = { -336, -336 },
                         many[] = { 336 * 100, 336 * 100 };
    sv_rng rng = { check_seed() };
    svlm_image *image = random_picture(&rng, 20, 10);
    sv_preproc p = clip;
    sv_tiles t;
    CHECK(sv_tiles_make(&t, image, &p, SVLM_PREPROC_TILES, NULL) == SVLM_ERR_ARG && !t.inputs);
    CHECK(sv_tiles_make(&t, image, &p, 77, NULL) == SVLM_ERR_ARG);
    p.n_pinpoints = 1;
    p.pinpoints = odd;
    CHECK(sv_tiles_make(&t, image, &p, SVLM_PREPROC_AUTO, NULL) == SVLM_ERR_FORMAT && !t.inputs);
    p.pinpoints = zero;
    CHECK(sv_tiles_make(&t, image, &p, SVLM_PREPROC_AUTO, NULL) == SVLM_ERR_FORMAT);
    p.pinpoints = negative;
    CHECK(sv_tiles_make(&t, image, &p, SVLM_PREPROC_AUTO, NULL) == SVLM_ERR_FORMAT);
    p.pinpoints = many;
    CHECK(sv_tiles_make(&t, image, &p, SVLM_PREPROC_AUTO, NULL) == SVLM_ERR_LIMIT);
    sv_tiles_free(&t);
    svlm_image_close(image);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    static const int32_t pinpoints[] = { 72, 36 };
    sv_rng rng = { check_seed() };
    svlm_image *image = random_picture(&rng, 50, 20);
    sv_preproc p = clip;
    p.image_size = 36;
    p.pinpoints = pinpoints;
    p.n_pinpoints = 1;
    size_t alive = sv_alloc_alive();
    for (int mode = SVLM_PREPROC_PAD; mode <= SVLM_PREPROC_TILES; mode++)
        for (int n = 0;; n++) {
            sv_tiles t;
            fault_at(n);
            svlm_status st = sv_tiles_make(&t, image, &p, mode, NULL);
            fault_end();
            if (!st) {
                sv_tiles_free(&t);
                CHECK(n > 8);
                break;
            }
            CHECK(st == SVLM_ERR_NOMEM && !t.inputs);
            CHECK(sv_alloc_alive() == alive);
        }
    CHECK(sv_alloc_alive() == alive);
    svlm_image_close(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_vision_inputs),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_unpad),
        cmocka_unit_test(test_bad_tiles),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
