/* SPDX-License-Identifier: MIT */
/* The fast path: near the precise one, and the same to the last bit however many
 * threads compute it and however the rows are divided. */
#include "check.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/repack.h"

enum { N_IN = 512, N_OUT = 83, ROWS = 37 };

static sv_rng rng;
static float x[ROWS * N_IN], bias[N_OUT], want[ROWS * N_OUT], got[ROWS * N_OUT];

static void product(float *y, const sv_weight *w, int precise, int n_threads, int n,
                    const float *rows)
{
    sv_mm mm;
    sv_arena measure = { 0 };
    sv_mm_layout(&mm, &measure, sv_kernels_get(), n_threads, precise, ROWS, N_IN, N_OUT);
    sv_arena a = { .base = sv_calloc(SV_MEM_TEMP, 1, measure.used), .size = measure.used };
    sv_mm_layout(&mm, &a, sv_kernels_get(), n_threads, precise, ROWS, N_IN, N_OUT);
    CHECK(a.base && !a.overflow);
    mm.bf16 = 1;
    sv_product p = { y, w, bias };
    sv_matmul_many(&mm, &p, 1, rows, n);
    sv_free(a.base);
}

/* Random bytes with scales of about 2^-7 in their halves. */
static void random_weight(uint8_t *data, const sv_type_info *t, const sv_block_shape *s)
{
    for (int b = 0; b < N_OUT * N_IN / t->block; b++, data += t->block_bytes) {
        for (int i = 0; i < t->block_bytes; i++)
            data[i] = (uint8_t)sv_rng_next(&rng);
        for (int h = 0; h < s->front + s->back; h++) {
            uint8_t *half = data + 2 * h + (h < s->front ? 0 : 4 * s->words);
            half[1] = (uint8_t)(0x20 + sv_rng_below(&rng, 4));
        }
    }
}

/* Activations are rounded to a 254th of their block's largest, so a product's error is a sum of
 * N_IN independent roundings; eight deviations of it. */
static void check_near(const sv_weight *w)
{
    static float row[N_IN];
    for (int r = 0; r < N_OUT; r++) {
        double square = 0;
        sv_weight_row(sv_kernels_get(), row, w, r);
        for (int j = 0; j < N_IN; j++)
            square += (double)row[j] * row[j];
        double step = 4.5 / 127;            /* no normal value here exceeds 4.5 */
        for (int t = 0; t < ROWS; t++)
            CHECK(fabs((double)want[t * N_OUT + r] - got[t * N_OUT + r])
                  <= 8 * step / sqrt(12) * sqrt(square) + 1e-4);
    }
}

/* Panels laid out beforehand give what the file's rows give, one row or many. */
static void check_repacked(const sv_weight *w)
{
    const sv_map memory = { .fd = -1 };
    sv_weight packed = *w, *list[] = { &packed };
    sv_repacked r;
    svlm_error err;
    CHECK(!sv_repack(&r, list, 1, sv_kernels_get(), 2, &memory, &err) && packed.packed);
    for (int n = 1; n <= ROWS; n += 18) {
        product(got, &packed, 0, 2, n, x);
        CHECK(!memcmp(want, got, (size_t)(n * N_OUT) * sizeof *got));
    }
    sv_repack_free(&r);
}

static void test_types(void **state)
{
    (void)state;
    static uint8_t data[N_OUT * N_IN * 2];
    for (uint32_t type = 0; type < SV_N_TYPES; type++) {
        const sv_type_info *t = sv_type_get(type);
        if (!t || !sv_kernels_get()->expand[type])
            continue;
        sv_weight w = { data, (sv_type)type, N_IN, N_OUT, sv_type_bytes((sv_type)type, N_IN), NULL };
        random_weight(data, t, &sv_block_shapes[type]);
        product(want, &w, 1, 2, ROWS, x);
        product(got, &w, 0, 1, ROWS, x);
        check_near(&w);
        memcpy(want, got, sizeof want);
        for (int n_threads = 2; n_threads <= 3; n_threads++) {
            product(got, &w, 0, n_threads, ROWS, x);
            CHECK(!memcmp(want, got, sizeof want));
        }
        for (int at = 0, n = 1; at < ROWS; at += n, n = n * 3 % 11) {
            int count = ROWS - at < n ? ROWS - at : n;
            product(got + at * N_OUT, &w, 0, 2, count, x + at * N_IN);
        }
        CHECK(!memcmp(want, got, sizeof want));
        check_repacked(&w);
    }
}

/* Weight and activation are each rounded to 8 bits of mantissa: 2^-9 of every product, twice, and
 * float roundings of the sums, far below. */
static void check_bf16(const sv_weight *w)
{
    static float row[N_IN];
    for (int r = 0; r < N_OUT; r++) {
        sv_weight_row(sv_kernels_get(), row, w, r);
        for (int t = 0; t < ROWS; t++) {
            double magnitude = 0;
            for (int j = 0; j < N_IN; j++)
                magnitude += fabs((double)row[j] * x[t * N_IN + j]);
            CHECK(fabs((double)want[t * N_OUT + r] - got[t * N_OUT + r]) <= 0x1.1p-8 * magnitude + 1e-6);
        }
    }
}

static void test_floats(void **state)
{
    (void)state;
    static float data[N_OUT * N_IN];
    static uint16_t halves[N_OUT * N_IN];
    for (int i = 0; i < N_OUT * N_IN; i++)
        data[i] = (float)sv_rng_normal(&rng);
    sv_kernels_get()->f32_to_f16(halves, data, N_OUT * N_IN);
    const sv_weight weights[] = {
        { (const uint8_t *)data, SV_F32, N_IN, N_OUT, N_IN * 4, NULL },
        { (const uint8_t *)halves, SV_F16, N_IN, N_OUT, N_IN * 2, NULL },
    };
    for (int i = 0; i < 2; i++) {
        product(want, &weights[i], 1, 2, ROWS, x);
        product(got, &weights[i], 0, 1, ROWS, x);
        check_bf16(&weights[i]);
        memcpy(want, got, sizeof want);
        product(got, &weights[i], 0, 3, ROWS, x);
        CHECK(!memcmp(want, got, sizeof want));
    }
}

int main(void)
{
    rng.state = check_seed();
    for (int i = 0; i < ROWS * N_IN; i++)
        do
            x[i] = (float)sv_rng_normal(&rng);
        while (fabsf(x[i]) > 4.5f);
    for (int i = 0; i < N_OUT; i++)
        bias[i] = (float)sv_rng_normal(&rng);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types), cmocka_unit_test(test_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
