/* SPDX-License-Identifier: MIT */
/* lib/vision: tower and projector against the golden features, and what else can be
 * asked of an encode. */
#include "golden.h"
#include "faults.h"

#include <math.h>

#include "tiny_model.h"
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

static svlm_features *encode_by(const sv_vit *v, const svlm_image *image, svlm_features_options *o,
                                int n_threads, int precise)
{
    svlm_features *f;
    svlm_error err;
    if (sv_vision_encode(&f, v, sv_kernels_get(), n_threads, precise, image, o, &err))
        fail_msg("%s", err.message);
    return f;
}

static svlm_features *encode(const sv_vit *v, const svlm_image *image, svlm_features_options *o,
                             int n_threads)
{
    return encode_by(v, image, o, n_threads, 1);
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

static tiny_model files;

static void open_tiny_of(tower *t, int tiles, const char *mix)
{
    sv_model_shape s = tiny_shape();
    s.tiles = tiles;
    s.v_mix = sv_mix_by_name(mix);
    tiny_model_remake(&files, &s);
    open_tower(t, files.mmproj);
}

static void open_tiny(tower *t, int tiles)
{
    open_tiny_of(t, tiles, "F16");
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    tower t;
    svlm_features_options o;
    svlm_features *f[3];
    open_tiny(&t, 1);
    svlm_image *image = open_picture("wide.png");
    SVLM_INIT(&o);
    o.class_attention = 1;
    for (int i = 0; i < 3; i++)
        f[i] = encode(&t.vit, image, &o, i + 1);
    size_t n = (size_t)f[0]->n_rows;
    for (int i = 1; i < 3; i++) {
        CHECK(f[i]->n_rows == f[0]->n_rows);
        assert_memory_equal(f[i]->rows, f[0]->rows, n * (size_t)f[0]->width * sizeof(float));
        assert_memory_equal(f[i]->class_attention, f[0]->class_attention, n * sizeof(float));
        assert_memory_equal(f[i]->keys, f[0]->keys, n * (size_t)f[0]->key_width * sizeof(float));
    }
    for (int i = 0; i < 3; i++)
        svlm_features_close(f[i]);
    svlm_image_close(image);
    close_tower(&t);
}

static void check_cell(const svlm_features *f, int row, int tile, int x, int y)
{
    const svlm_cell *c = &svlm_features_cells(f)[row];
    CHECK(c->tile == tile && c->x == x && c->y == y && !c->reserved);
}

/* t3: tiles of 8 x 8 patches. A picture of 400 x 250 fills a grid of 2 x 2 tiles to
 * 16 * 250 / 400 = 10 of its 16 rows: three of padding above and three below. */
static void test_cells_of_tiles(void **state)
{
    (void)state;
    tower t;
    svlm_features_options o;
    open_tower(&t, golden_path("models/t3/mmproj-t3-f32.gguf"));
    svlm_image *image = open_picture("wide.png");
    SVLM_INIT(&o);
    svlm_features *f = encode(&t.vit, image, &o, 2);
    CHECK(svlm_features_n_rows(f) == 64 + 10 * 17);
    check_cell(f, 0, 0, 0, 0);
    check_cell(f, 63, 0, 7, 7);
    check_cell(f, 64, 1, 0, 3);
    check_cell(f, 64 + 15, 1, 15, 3);
    check_cell(f, 64 + 16, 1, -1, 3);
    check_cell(f, 64 + 5 * 17 + 9, 1, 9, 8);
    check_cell(f, 64 + 10 * 17 - 1, 1, -1, 12);
    assert_memory_equal(svlm_features_rows(f) + (size_t)(64 + 16) * (size_t)f->width, t.vit.newline,
                        (size_t)f->width * sizeof(float));
    svlm_features_close(f);

    o.preproc = SVLM_PREPROC_PAD;               /* no tiles: one newline at the end */
    f = encode(&t.vit, image, &o, 2);
    CHECK(svlm_features_n_rows(f) == 65);
    check_cell(f, 64, 0, -1, 7);
    svlm_features_close(f);

    t.vit.preproc.unpad = 0;                    /* merge type "spatial": the whole grid */
    f = encode(&t.vit, image, &(svlm_features_options){ .preproc = SVLM_PREPROC_TILES }, 2);
    CHECK(svlm_features_n_rows(f) == 64 + 16 * 16);
    check_cell(f, 64 + 16 * 9 + 10, 1, 10, 9);
    svlm_features *g;
    t.vit.tile_by_tile = 1;                     /* "flat": the same rows in another order */
    g = encode(&t.vit, image, &(svlm_features_options){ .preproc = SVLM_PREPROC_TILES }, 2);
    CHECK(svlm_features_n_rows(g) == 64 + 16 * 16);
    check_cell(g, 64 + 3 * 64 + 8 * 1 + 2, 1, 10, 9);      /* tile (1, 1), patch (2, 1) */
    assert_memory_equal(g->rows + (size_t)(64 + 3 * 64 + 10) * (size_t)g->width,
                        f->rows + (size_t)(64 + 16 * 9 + 10) * (size_t)f->width,
                        (size_t)f->width * sizeof(float));
    svlm_features_close(f);
    svlm_features_close(g);
    svlm_image_close(image);
    close_tower(&t);
}

/* With queries and keys that are only their biases every patch is looked at alike, and
 * every key row is the bias, whose mean over heads is easy. */
static void test_class_attention(void **state)
{
    (void)state;
    enum { WIDTH = 32, HEADS = 2, HEAD = 16, PATCHES = 16 };
    static const float zero[WIDTH * WIDTH];
    float key_bias[WIDTH];
    int key_width;
    tower t;
    svlm_features_options o;
    open_tiny(&t, 0);
    CHECK(t.vit.n_embd == WIDTH && t.vit.n_heads == HEADS);
    svlm_image *image = open_picture("tall.png");
    for (int i = 0; i < WIDTH; i++)
        key_bias[i] = i < HEAD ? (float)i : 3;
    sv_vit_block *last = &t.vit.blocks[t.vit.n_run - 1];
    last->q.w.data = last->k.w.data = (const uint8_t *)zero;
    last->q.w.type = last->k.w.type = SV_F32;
    last->q.b = NULL;
    last->k.b = key_bias;
    SVLM_INIT(&o);
    svlm_features *f = encode(&t.vit, image, &o, 2);
    CHECK(!svlm_features_class_attention(f) && !svlm_features_keys(f, &key_width));
    svlm_features_close(f);
    o.class_attention = 1;
    f = encode(&t.vit, image, &o, 2);
    CHECK(svlm_features_keys(f, &key_width) && key_width == HEAD);
    for (int p = 0; p < PATCHES; p++) {
        CHECK(fabs(svlm_features_class_attention(f)[p] - 1.0 / (PATCHES + 1)) < 1e-7);
        for (int i = 0; i < HEAD; i++)
            CHECK(svlm_features_keys(f, NULL)[p * HEAD + i] == ((float)i + 3) / 2);
    }
    svlm_features_close(f);

    svlm_error err;                             /* a tower without a class row has none */
    t.vit.has_class = 0;
    CHECK(sv_vision_encode(&f, &t.vit, sv_kernels_get(), 1, 1, image, &o, &err) ==
          SVLM_ERR_UNSUPPORTED && !f);
    svlm_image_close(image);
    close_tower(&t);
}

typedef struct watch { int n_calls, stop_at, total; } watch;

static int count(void *user, svlm_stage stage, int done, int total)
{
    watch *w = user;
    CHECK(stage == SVLM_STAGE_ENCODE && done == w->n_calls && done <= total);
    w->total = total;
    return w->n_calls++ == w->stop_at;
}

static void test_progress_and_cancelling(void **state)
{
    (void)state;
    tower t;
    svlm_features *f;
    svlm_error err;
    watch w = { .stop_at = -1 };
    open_tiny(&t, 1);
    svlm_image *image = open_picture("square336.png");
    svlm_features_options o = { .progress = count, .user = &w };
    size_t alive = sv_alloc_alive();
    CHECK(!sv_vision_encode(&f, &t.vit, sv_kernels_get(), 2, 1, image, &o, &err));
    CHECK(w.total == 5 * 2 && w.n_calls == w.total + 1);   /* five inputs, two blocks */
    svlm_features_close(f);
    for (int stop = 0; stop <= w.total; stop++) {
        w.n_calls = 0;
        w.stop_at = stop;
        CHECK(sv_vision_encode(&f, &t.vit, sv_kernels_get(), 2, 1, image, &o, &err) ==
              SVLM_ERR_CANCELLED && !f && w.n_calls == stop + 1);
        CHECK(sv_alloc_alive() == alive);
    }
    svlm_image_close(image);
    close_tower(&t);
}

static void check_not_a_number(const char *mix, int precise)
{
    tower t;
    svlm_features *f;
    svlm_error err;
    open_tiny_of(&t, 0, mix);
    svlm_image *image = open_picture("one.png");
    svlm_features_options o = { 0 };
    const sv_kernels *k = sv_kernels_get();
    t.vit.blocks[0].ln1.w[3] = NAN;
    CHECK(sv_vision_encode(&f, &t.vit, k, 1, precise, image, &o, &err) == SVLM_ERR_NUMERIC);
    CHECK(strstr(err.message, "tower") && !f);
    t.vit.blocks[0].ln1.w[3] = 1;
    t.vit.mm0.b[0] = INFINITY;
    CHECK(sv_vision_encode(&f, &t.vit, k, 1, precise, image, &o, &err) == SVLM_ERR_NUMERIC);
    CHECK(strstr(err.message, "projector") && !f);
    svlm_image_close(image);
    close_tower(&t);
}

static void test_not_a_number(void **state)
{
    (void)state;
    check_not_a_number("F16", 1);
    check_not_a_number("Q8_0", 0);
}

/* With activations rounded to 8 bit, every product is off by noise: the largest of 32
 * normal values is about 2.2 deviations, a step 1/127 of it, its rounding 0.29 steps or
 * 0.5 % of a deviation. Fourteen products follow each other here (six in each of two
 * blocks, two in the projector), some side by side: at most sqrt(14) * 0.5 % = 2 %, and
 * as much again for blocks less regular than that. Where floats are rounded to bf16, by 2^-9 at
 * most, it is 0.16 % a product and 1.2 % by the same reasoning; 1.4 % apart is a cosine of
 * 0.9999. */
static void test_fast_path(void **state)
{
    (void)state;
    static const char *const mixes[] = { "Q8_0", "Q5_0", "Q4_0", "F16" };
    static const double most[] = { 0.04, 0.04, 0.04, 0.014 };
    for (size_t m = 0; m < sizeof mixes / sizeof *mixes; m++) {
        tower t;
        svlm_features_options o;
        double difference = 0, size = 0;
        open_tiny_of(&t, 0, mixes[m]);
        svlm_image *image = open_picture("wide.png");
        SVLM_INIT(&o);
        svlm_features *precise = encode(&t.vit, image, &o, 2);
        svlm_features *fast = encode_by(&t.vit, image, &o, 2, 0);
        for (int i = 0; i < fast->n_rows * fast->width; i++) {
            double d = (double)fast->rows[i] - precise->rows[i];
            difference += d * d;
            size += (double)precise->rows[i] * precise->rows[i];
        }
        print_message("%s: %.2f %% from the precise path\n", mixes[m],
                      100 * sqrt(difference / size));
        CHECK(sqrt(difference / size) <= most[m]);
        CHECK(t.vit.blocks[0].q.w.type == SV_F16 || difference > 0);
        svlm_features_close(precise);
        svlm_features_close(fast);
        svlm_image_close(image);
        close_tower(&t);
    }
}

/* Float towers may be rounded to bfloat16 where the processor has it: every row's direction stays
 * within a cosine of 0.9999 (0.8 degrees) of the precise one. The golden towers have random weights and
 * react strongly; the bundled one is trained. */
static void test_bfloat16(void **state)
{
    (void)state;
    const char *const towers[] = { "models/t1/mmproj-t1-f16.gguf", "models/t2/mmproj-t2-f32.gguf",
                                   "../../models/mmproj-sparsevlm-demo-f16.gguf" };
    for (size_t i = 0; i < sizeof towers / sizeof *towers; i++) {
        tower t;
        svlm_features_options o = { .size = sizeof o };
        open_tower(&t, golden_path("%s", towers[i]));
        svlm_image *image = open_picture("photo.jpg");
        svlm_features *want = encode_by(&t.vit, image, &o, 2, 1);
        svlm_features *got = encode_by(&t.vit, image, &o, 2, 0);
        for (int r = 0; r < want->n_rows; r++) {
            const float *a = want->rows + (size_t)r * (size_t)want->width;
            const float *b = got->rows + (size_t)r * (size_t)want->width;
            double ab = 0, aa = 0, bb = 0;
            for (int j = 0; j < want->width; j++) {
                ab += (double)a[j] * b[j];
                aa += (double)a[j] * a[j];
                bb += (double)b[j] * b[j];
            }
            CHECK(ab >= 0.9999 * sqrt(aa * bb));
        }
        svlm_features_close(want);
        svlm_features_close(got);
        svlm_image_close(image);
        close_tower(&t);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    tower t;
    svlm_features *f;
    svlm_error err;
    open_tiny(&t, 1);
    svlm_image *image = open_picture("tall.png");
    svlm_features_options o = { .class_attention = 1 };
    size_t alive = sv_alloc_alive();
    svlm_status st = SVLM_ERR_NOMEM;
    for (int n = 0; st; n++) {
        fault_at(n);
        st = sv_vision_encode(&f, &t.vit, sv_kernels_get(), 1, 1, image, &o, &err);
        fault_end();
        CHECK(n < 1000 && (!st || (st == SVLM_ERR_NOMEM && !f && sv_alloc_alive() == alive)));
    }
    svlm_features_close(f);
    CHECK(sv_alloc_alive() == alive);
    svlm_image_close(image);
    close_tower(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),           cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_cells_of_tiles),    cmocka_unit_test(test_class_attention),
        cmocka_unit_test(test_progress_and_cancelling),
        cmocka_unit_test(test_not_a_number),      cmocka_unit_test(test_fast_path),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_no_memory),
    };
    sv_model_shape s = tiny_shape();
    tiny_model_make(&files, &s);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_model_remove(&files);
    return n_failed;
}
