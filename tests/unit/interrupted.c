/* SPDX-License-Identifier: MIT */
/* Models and pictures read where reads are interrupted, come short, or fail. */
#include "small.h"

#include "check.h"
#include "interrupt.h"

enum { AS_BEFORE, OTHER_PICTURE, IO_ERROR, OTHER_ERROR };

static svlm_image *want;

static int how(svlm_status st, const svlm_error *err)
{
    return st == SVLM_ERR_IO && strstr(err->message, "Input/output error") ? IO_ERROR : OTHER_ERROR;
}

static int read_picture(const char *path)
{
    svlm_image *image;
    svlm_error err;
    svlm_status st = svlm_image_open(&image, path, NULL, &err);
    if (st)
        return how(st, &err);
    size_t n = (size_t)svlm_image_width(want) * (size_t)svlm_image_height(want) * 3;
    return svlm_image_width(image) == svlm_image_width(want) &&
           svlm_image_height(image) == svlm_image_height(want) &&
           !memcmp(svlm_image_pixels(image), svlm_image_pixels(want), n) ? AS_BEFORE : OTHER_PICTURE;
}

static int read_model(const char *path)
{
    svlm_model_options o;
    svlm_model *model;
    svlm_error err;
    SVLM_INIT(&o);
    o.model_path = path;
    o.load = SVLM_LOAD_READ;
    o.n_threads = 1;
    svlm_status st = svlm_model_open(&model, &o, &err);
    return st ? how(st, &err) : AS_BEFORE;
}

/* Read to the end whatever comes between; the k-th failing, for every k. */
static void check_reads(const char *path, int (*run)(const char *path))
{
    int k = 0;
    assert_int_equal(interrupt_run(path, -1, run), AS_BEFORE);
    for (int result = IO_ERROR; result != AS_BEFORE; k++) {
        result = interrupt_run(path, k, run);
        CHECK(result == IO_ERROR || result == AS_BEFORE);
    }
    CHECK(k > 3);
}

static void test_pictures(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/images/photo.jpg", getenv("SVLM_TEST_DATA"));
    CHECK(!svlm_image_open(&want, path, NULL, NULL));
    check_reads(path, read_picture);
    svlm_image_close(want);
}

static void test_models(void **state)
{
    const small *s = *state;
    check_reads(s->files.llm, read_model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_models),
    };
    return interrupt_works() ? cmocka_run_group_tests(tests, small_setup, small_teardown) : 77;
}
