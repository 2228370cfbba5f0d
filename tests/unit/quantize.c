/* SPDX-License-Identifier: MIT */
/* The quantisers: no worse than llama-quantize on the files it made for us, and on
 * normal values no worse than what it was measured to reach on them. */
#include "check.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "gguf/gguf.h"
#include "simd/kernels.h"
#include "tensor/quantize.h"

static double squared_error(const float *x, const float *y, size_t n)
{
    double e = 0;
    for (size_t i = 0; i < n; i++)
        e += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return e;
}

/* ---- against llama-quantize -------------------------------------------------- */

typedef struct opened { sv_map map; sv_gguf g; } opened;

static void open_file(opened *o, const char *name)
{
    char path[500];
    svlm_error err = { 0 };
    snprintf(path, sizeof path, "%s/models/t2/%s", getenv("SVLM_TEST_DATA"), name);
    if (sv_map_file(&o->map, path, 0, &err) || sv_gguf_parse(&o->g, &o->map, &err))
        fail_msg("%s", err.message);
}

static void close_file(opened *o)
{
    sv_gguf_free(&o->g);
    sv_map_close(&o->map);
}

/* Adds the squared errors of their tensor and of ours, of the same type. */
static void compare(const sv_gguf_tensor *source, const sv_gguf_tensor *theirs, double *e_theirs,
                    double *e_ours)
{
    const sv_kernels *k = sv_kernels_for("c");
    size_t n = (size_t)(source->dim[0] * source->dim[1]);
    float *x = sv_malloc(SV_MEM_TEMP, n, sizeof *x), *y = sv_malloc(SV_MEM_TEMP, n, sizeof *y);
    uint8_t *blocks = sv_malloc(SV_MEM_TEMP, (size_t)theirs->n_bytes, 1);
    CHECK(x && y && blocks);
    k->dequant[source->type](x, source->data, n);
    k->dequant[theirs->type](y, theirs->data, n);
    *e_theirs += squared_error(x, y, n);
    sv_quantize(blocks, x, n, theirs->type);
    k->dequant[theirs->type](y, blocks, n);
    *e_ours += squared_error(x, y, n);
    sv_free(blocks);
    sv_free(y);
    sv_free(x);
}

static void test_no_worse_than_llama_quantize(void **state)
{
    (void)state;
    static const char *const files[] = { "t2-q8_0.gguf", "t2-q4_0.gguf", "t2-q4_k_m.gguf" };
    opened source, theirs;
    open_file(&source, "t2-f16.gguf");
    for (int f = 0; f < 3; f++) {
        double e_theirs[SV_N_TYPES] = { 0 }, e_ours[SV_N_TYPES] = { 0 };
        open_file(&theirs, files[f]);
        for (size_t i = 0; i < theirs.g.n_tensors; i++) {
            const sv_gguf_tensor *t = &theirs.g.tensors[i], *s = sv_gguf_find(&source.g, t->name);
            CHECK(s != NULL);
            if (t->n_dims == 2)
                compare(s, t, &e_theirs[t->type], &e_ours[t->type]);
        }
        for (int type = 0; type < SV_N_TYPES; type++)
            if (e_theirs[type] > 0) {
                printf("%s %s: squared error %.4g, llama-quantize %.4g (%+.1f %%)\n", files[f],
                       sv_type_get((uint32_t)type)->name, e_ours[type], e_theirs[type],
                       100 * (e_ours[type] / e_theirs[type] - 1));
                CHECK(e_ours[type] <= e_theirs[type]);
            }
        close_file(&theirs);
    }
    close_file(&source);
}

/* ---- any values ---------------------------------------------------------------- */

enum { N = 256 * 512 };

/* The types in question, and the relative error (root of the summed squares) that
 * llama-quantize --pure (ik_llama.cpp) left on a million normal values.
 * Samples of N differ by less than half a percent. For the floats: half a unit in the
 * last place. */
static const struct { sv_type type; double theirs;
} types[] = {
    {SV_F32, 0},          {SV_F16, 0x1p-11},  {SV_BF16, 0x1p-8},  {SV_Q8_0, 0.00535},
    {SV_Q4_0, 0.08590},   {SV_Q4_1, 0.07820}, {SV_Q5_0, 0.04268}, {SV_Q5_1, 0.03784},
    {SV_IQ4_NL, 0.07609}, {SV_Q2_K, 0.29499}, {SV_Q3_K, 0.15078}, {SV_Q4_K, 0.07130},
    {SV_Q5_K, 0.03613},   {SV_Q6_K, 0.01753},
};

enum { N_TYPES = sizeof types / sizeof *types };

static void there_and_back(float *y, const float *x, size_t n, sv_type type)
{
    static uint8_t blocks[N * sizeof(float)];
    sv_quantize(blocks, x, n, type);
    sv_kernels_for("c")->dequant[type](y, blocks, n);
}

static void test_normal_values(void **state)
{
    (void)state;
    static float x[N], y[N], zero[N];
    sv_rng r = { check_seed() };
    for (size_t i = 0; i < N; i++)
        x[i] = (float)sv_rng_normal(&r);
    for (int i = 0; i < N_TYPES; i++) {
        there_and_back(y, x, N, types[i].type);
        double e = sqrt(squared_error(x, y, N) / squared_error(x, zero, N));
        printf("%s: relative error %.5f, llama-quantize %.5f\n", sv_type_get(types[i].type)->name,
               e, types[i].theirs);
        CHECK(e <= types[i].theirs * 1.005);
    }
}

static void fill(float *x, int kind)
{
    for (int i = 0; i < 256; i++)
        switch (kind) {
        case 0: x[i] = 0; break;
        case 1: x[i] = 3; break;
        case 2: x[i] = -3; break;
        case 3: x[i] = i == 77 ? -65504.0f : 0; break;
        case 4: x[i] = i % 2 ? 65504.0f : -65504.0f; break;
        case 5: x[i] = 1e-38f * (float)(i % 3); break;
        case 6: x[i] = 1e-45f; break;
        case 7: x[i] = i < 128 ? 0 : (float)(i % 7 - 3); break;
        default: x[i] = i == 200 ? 1000.0f : 0.001f * (float)(i % 5); break;
        }
}

/* Whatever the values: the error stays within the coarsest step of the type, a sixth of the
 * spread of the block (a third for the 3 steps of Q2_K) with zero counted in, and nothing
 * becomes infinite. */
static void test_odd_values(void **state)
{
    (void)state;
    float x[256], y[256];
    for (int kind = 0; kind <= 8; kind++)
        for (int i = 0; i < N_TYPES; i++) {
            float low = 0, high = 0;
            fill(x, kind);
            there_and_back(y, x, 256, types[i].type);
            for (int k = 0; k < 256; k++) {
                low = fminf(low, x[k]);
                high = fmaxf(high, x[k]);
            }
            for (int k = 0; k < 256; k++)
                if (!(fabsf(x[k] - y[k]) <=
                      (high - low) / (types[i].type == SV_Q2_K ? 3 : 6) + 1e-7f))
                    fail_msg("%s, values %d: %g became %g", sv_type_get(types[i].type)->name, kind,
                             x[k], y[k]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_worse_than_llama_quantize), cmocka_unit_test(test_normal_values),
        cmocka_unit_test(test_odd_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
