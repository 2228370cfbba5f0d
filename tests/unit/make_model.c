/* SPDX-License-Identifier: MIT */
/* The random models: valid files of the types asked for, weights of the size that
 * keeps activations finite, the same for the same seed; and the mixtures. */
#include "check.h"

#include <math.h>

#include "base/alloc.h"
#include "simd/kernels.h"
#include "tiny_model.h"

typedef struct opened { sv_map map; sv_gguf g; } opened;

static void open_file(opened *o, const char *path)
{
    svlm_error err = { 0 };
    if (sv_map_file(&o->map, path, 0, &err) || sv_gguf_parse(&o->g, &o->map, &err))
        fail_msg("%s", err.message);
}

static void close_file(opened *o)
{
    sv_gguf_free(&o->g);
    sv_map_close(&o->map);
}

/* Mean and deviation of a matrix's values. The bounds are six standard errors wide
 * for the few thousand values of the smallest matrix, and half as much again
 * because a block's values share a scale. */
static void check_values(const sv_gguf_tensor *t)
{
    size_t n = (size_t)(t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3]);
    float *x = sv_malloc(SV_MEM_TEMP, n, sizeof *x);
    double sum = 0, square = 0, n_in = (double)t->dim[0];
    CHECK(x != NULL);
    sv_kernels_get()->dequant[t->type](x, t->data, n);
    for (size_t i = 0; i < n; i++) {
        CHECK(isfinite(x[i]));
        sum += x[i];
        square += (double)x[i] * x[i];
    }
    sv_free(x);
    if (t->n_dims == 2 && strncmp(t->name, "v.pos", 5)) {
        double dev = sqrt(square / (double)n) * sqrt(n_in), mean = sum / (double)n * sqrt(n_in);
        if (fabs(dev - 1) > 0.2 || fabs(mean) > 0.2)
            fail_msg("%s of type %d: deviation %g, mean %g", t->name, t->type, dev, mean);
    }
}

static void test_every_mixture(void **state)
{
    (void)state;
    for (int i = 0; sv_mix_at(i); i++) {
        sv_model_shape s = tiny_shape();
        s.n_embd = 256;
        s.n_ff = 512;
        s.mix = s.v_mix = sv_mix_at(i);
        tiny_model t;
        tiny_model_make(&t, &s);
        for (int vision = 0; vision < 2; vision++) {
            opened o;
            open_file(&o, vision ? t.mmproj : t.llm);
            CHECK(o.g.n_tensors == (vision ? 2 * 16 + 9 : 4 * 9 + 3));
            for (size_t k = 0; k < o.g.n_tensors; k++)
                check_values(&o.g.tensors[k]);
            close_file(&o);
        }
        tiny_model_remove(&t);
    }
}

static void test_same_seed_same_file(void **state)
{
    (void)state;
    sv_model_shape s = tiny_shape();
    tiny_model a, b;
    tiny_model_make(&a, &s);
    tiny_model_make(&b, &s);
    opened x, y;
    open_file(&x, a.llm);
    open_file(&y, b.llm);
    CHECK(x.map.size == y.map.size && !memcmp(x.map.data, y.map.data, x.map.size));
    close_file(&y);
    s.seed++;
    tiny_model_remake(&b, &s);
    open_file(&y, b.llm);
    CHECK(memcmp(x.map.data, y.map.data, x.map.size));
    close_file(&x);
    close_file(&y);
    tiny_model_remove(&a);
    tiny_model_remove(&b);
}

/* ---- broken on purpose ------------------------------------------------------ */

static int put_zero_layers(void *user, sv_gguf_writer *w, const char *name)
{
    (void)user;
    if (strcmp(name, "llama.block_count"))
        return 0;
    sv_gguf_put_u32(w, name, 0);
    return 1;
}

static void put_nan(void *user, const sv_gguf_tensor *t, void *bytes, size_t n_bytes)
{
    (void)user, (void)n_bytes;
    if (!strcmp(t->name, "output_norm.weight"))
        *(float *)bytes = NAN;
}

static void test_patches(void **state)
{
    (void)state;
    sv_model_shape s = tiny_shape();
    s.patch_with =
        (sv_model_patch){.omit = "blk.1.ffn_up.weight", .put = put_zero_layers, .data = put_nan};
    tiny_model t;
    tiny_model_make(&t, &s);
    opened o;
    uint32_t u = 7;
    open_file(&o, t.llm);
    CHECK(!sv_gguf_find(&o.g, "blk.1.ffn_up.weight") && sv_gguf_find(&o.g, "blk.2.ffn_up.weight"));
    CHECK(!sv_gguf_get_u32(&o.g, "llama.block_count", &u, NULL) && u == 0);
    CHECK(isnan(*(const float *)(const void *)sv_gguf_find(&o.g, "output_norm.weight")->data));
    close_file(&o);
    tiny_model_remove(&t);
}

/* ---- mixtures --------------------------------------------------------------- */

/* The files here were made by llama-quantize: we must choose the same types. */
static void check_mix(const char *file, const char *mix, sv_mix_model model)
{
    char path[500];
    opened o;
    snprintf(path, sizeof path, "%s/models/%s", getenv("SVLM_TEST_DATA"), file);
    open_file(&o, path);
    for (size_t i = 0; i < o.g.n_tensors; i++) {
        const sv_gguf_tensor *t = &o.g.tensors[i];
        sv_type type = sv_mix_type(sv_mix_by_name(mix), &model, t->name, t->n_dims, t->dim[0]);
        if (type != t->type)
            fail_msg("%s: %s would be %s", file, t->name, sv_type_get(type)->name);
    }
    close_file(&o);
}

static void test_mixtures_are_those_of_their_names(void **state)
{
    (void)state;
    check_mix("t2/t2-f16.gguf", "f16", (sv_mix_model){ 12, 6, 2, 0 });
    check_mix("t2/t2-q8_0.gguf", "Q8_0", (sv_mix_model){ 12, 6, 2, 0 });
    check_mix("t2/t2-q4_0.gguf", "Q4_0", (sv_mix_model){ 12, 6, 2, 0 });
    check_mix("t2/t2-q4_k_m.gguf", "Q4_K_M", (sv_mix_model){ 12, 6, 2, 0 });
    check_mix("t4/t4-q4_k_m.gguf", "Q4_K_M", (sv_mix_model){ 8, 8, 4, 0 });
    const sv_mix *m = sv_mix_by_name("q5_k_m");
    sv_mix_model tied = { 32, 32, 32, 1 };
    CHECK(sv_mix_type(m, &tied, "token_embd.weight", 2, 4096) == SV_Q6_K);
    CHECK(sv_mix_type(m, &tied, "blk.4.attn_v.weight", 2, 4096) == SV_Q5_K);
    CHECK(sv_mix_type(m, &tied, "blk.6.attn_v.weight", 2, 4096) == SV_Q6_K);
    CHECK(sv_mix_type(m, &tied, "blk.4.attn_v.weight", 2, 576) == SV_Q5_1);
    CHECK(sv_mix_type(m, &tied, "blk.4.attn_v.weight", 2, 100) == SV_F16);
    CHECK(sv_mix_type(m, &tied, "blk.4.attn_norm.weight", 1, 4096) == SV_F32);
    CHECK(!sv_mix_by_name("Q9") && sv_mix_file_type(m) == 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mixture), cmocka_unit_test(test_same_seed_same_file),
        cmocka_unit_test(test_patches), cmocka_unit_test(test_mixtures_are_those_of_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
