/* SPDX-License-Identifier: MIT */
/* lib/image: pictures against what Pillow makes of them. */
#include "golden.h"

#include <math.h>

#include "image/image.h"
#include "image/preprocess.h"

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
 * bicubic's overshoot can make that 4. On average they agree to a tenth of a level. */
enum { LOSSY = 4 };
static const double LOSSY_MEAN = 0.1 / LOSSY;

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
    if (worst > bound || fabs((double)off) > LOSSY_MEAN * bound * size * size * 3)
        fail_msg("%s, %s: off by up to %d, the sum by %lld",
                 json_string_value(json_object_get(row, "image")), mode, worst, (long long)off);
    npy_free(&grid);
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
            svlm_image *want = open_picture(golden_path("goldens/%s/input-%d.png", cases[i].name, k));
            assert_int_equal(largest_difference(t.inputs[k], want), 0);
            svlm_image_close(want);
        }
        sv_tiles_free(&t);
        svlm_image_close(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_vision_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
