/* SPDX-License-Identifier: MIT */
/* lib/vision: tower and projector against the golden features, and what else can be
 * asked of an encode. */
#include "golden.h"

#include <math.h>

#include "base/alloc.h"
#include "vision/vision.h"

typedef struct tower {
    sv_map map;
    sv_gguf gguf;
    sv_vit vit;
} tower;

static void open_tower(tower *t, const char *path)
{
    svlm_error err;
    if (sv_map_file(&t->map, path, 0, &err) || sv_gguf_parse(&t->gguf, &t->map, &err) ||
        sv_vit_load(&t->vit, &t->gguf, NULL, &err))
        fail_msg("%s", err.message);
}

static void close_tower(tower *t)
{
    sv_vit_free(&t->vit);
    sv_gguf_free(&t->gguf);
    sv_map_close(&t->map);
}

static svlm_image *open_picture(const char *name)
{
    svlm_image *image;
    svlm_error err;
    if (svlm_image_open(&image, golden_path("images/%s", name), NULL, &err))
        fail_msg("%s", err.message);
    return image;
}

static svlm_features *encode(const sv_vit *v, const svlm_image *image, svlm_features_options *o,
                             int n_threads)
{
    svlm_features *f;
    svlm_error err;
    if (sv_vision_encode(&f, v, sv_kernels_get(), n_threads, 1, image, o, &err))
        fail_msg("%s", err.message);
    return f;
}

static svlm_preproc mode_of(const char *name)
{
    return !strcmp(name, "pad") ? SVLM_PREPROC_PAD
         : !strcmp(name, "crop") ? SVLM_PREPROC_CROP : SVLM_PREPROC_TILES;
}

/* got[i * every] against row i. */
static double worst_difference(const npy *want, const svlm_features *got, int every)
{
    double worst = 0;
    size_t width = (size_t)got->width;
    CHECK(want->n_dims == 2 && want->dim[1] == width);
    CHECK(want->dim[0] == (size_t)((got->n_rows + every - 1) / every));
    for (size_t i = 0; i < want->n; i++) {
        double d = fabs((double)want->f[i] -
                        got->rows[i / width * (size_t)every * width + i % width]);
        worst = d <= worst ? worst : d;          /* a NaN stays */
    }
    return worst;
}

static double tolerance(const json_t *j, const char *name)
{
    return json_number_value(json_object_get(json_object_get(j, "tolerance"), name));
}

/* The features before the projector: the same tower, with a projector that does
 * nothing and tiles that stay apart. */
static svlm_features *encode_features(const sv_vit *v, const svlm_image *image,
                                      svlm_features_options *o)
{
    sv_vit bare = *v;
    int n = v->n_embd * v->n_features;
    float *one = calloc((size_t)n * (size_t)n, sizeof *one);
    for (int i = 0; i < n; i++)
        one[i * n + i] = 1;
    bare.mm0 = (sv_linear){ { (const uint8_t *)one, SV_F32, n, n, (size_t)n * 4, NULL }, NULL };
    bare.mm2 = (sv_linear){ 0 };
    bare.n_out = n;
    bare.tile_by_tile = 1;
    bare.preproc.unpad = 0;
    svlm_features *f = encode(&bare, image, o, 2);
    free(one);
    return f;
}

static void check_case(const char *model, const char *mmproj, const char *picture, const char *mode)
{
    tower t;
    svlm_features_options o;
    char folder[128];
    snprintf(folder, sizeof folder, "goldens/%s/vision-%s-%s", model, picture, mode);
    open_tower(&t, golden_path("models/%s/%s.gguf", model, mmproj));
    json_t *j = golden_json(golden_path("%s/vision.json", folder));
    npy features = golden_npy(golden_path("%s/features_every8.npy", folder));
    npy embeds = golden_npy(golden_path("%s/embeds.npy", folder));
    svlm_image *image = open_picture(json_string_value(json_object_get(j, "image")));
    SVLM_INIT(&o);
    o.preproc = mode_of(mode);
    svlm_features *f = encode_features(&t.vit, image, &o), *e = encode(&t.vit, image, &o, 2);
    double df = worst_difference(&features, f, 8), de = worst_difference(&embeds, e, 1);
    print_message("%s %s: features %.1e of %.1e, embeds %.1e of %.1e\n", folder, mmproj, df,
                  tolerance(j, "features"), de, tolerance(j, "embeds"));
    CHECK(df <= tolerance(j, "features"));
    CHECK(de <= tolerance(j, "embeds"));
    svlm_features_close(f);
    svlm_features_close(e);
    svlm_image_close(image);
    npy_free(&features);
    npy_free(&embeds);
    json_decref(j);
    close_tower(&t);
}

static void test_goldens(void **state)
{
    (void)state;
    check_case("t1", "mmproj-t1-f16", "square336", "pad");
    check_case("t1", "mmproj-t1-f16", "tall", "pad");
    check_case("t1", "mmproj-t1-f16", "wide", "crop");
    check_case("t1", "mmproj-t1-f16", "wide", "pad");
    check_case("t2", "mmproj-t2-f16", "square224", "pad");
    check_case("t2", "mmproj-t2-f32", "tall", "pad");
    check_case("t2", "mmproj-t2-f32", "wide", "pad");
    check_case("t3", "mmproj-t3-f32", "square336", "anyres");
    check_case("t3", "mmproj-t3-f32", "wide", "anyres");
    check_case("t4", "mmproj-t4-f16", "square224", "pad");
    check_case("t4", "mmproj-t4-f16", "wide", "pad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
