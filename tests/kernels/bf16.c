/* SPDX-License-Identifier: MIT */
/* Products in bf16 of every set that has them, against sums in double: every number of
 * tokens and rows, before a page that may not be touched. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "guard.h"
#include "simd/half.h"
#include "simd/kernels.h"

enum { MAX_TOKENS = 35, MAX_PAIRS = 33, LDY = 19 };

static sv_rng rng;
static const sv_kernels *k;
static guard *gw, *gx, *gy;

static void random_bf16(uint16_t *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = (uint16_t)(sv_bits_of_float((float)sv_rng_normal(&rng)) >> 16);
}

static double value(uint16_t x)
{
    return sv_float_of_bits((uint32_t)x << 16);
}

/* A product of two bf16 is exact in a float; each of the 2 n_pairs additions rounds the sum so
 * far, or cuts it off. */
static void compare(const float *y, const uint16_t *w, const uint16_t *x, int n, int n_rows,
                    int n_pairs)
{
    for (int t = 0; t < n; t++)
        for (int r = 0; r < n_rows; r++) {
            double sum = 0, magnitude = 0;
            for (int j = 0; j < 2 * n_pairs; j++) {
                double p = value(w[(j / 2 * SV_PANEL_ROWS + r) * 2 + j % 2])
                           * value(x[t * 2 * n_pairs + j]);
                sum += p;
                magnitude += fabs(p);
            }
            CHECK(fabs(sum - (double)y[t * LDY + r]) <= 2 * n_pairs * 0x1p-23 * magnitude + 1e-37);
        }
}

static void one_case(int n, int n_rows, int n_pairs)
{
    int last = (n - 1) * LDY + n_rows;          /* where y ends */
    uint16_t *w = guard_end(gw, 2 * SV_PANEL_ROWS * n_pairs, sizeof *w);
    uint16_t *x = guard_end(gx, 2 * n_pairs * n, sizeof *x);
    float *y = guard_end(gy, last, sizeof *y);
    random_bf16(w, 2 * SV_PANEL_ROWS * n_pairs);
    random_bf16(x, 2 * n_pairs * n);
    for (int i = 0; i < last; i++)
        y[i] = 7;
    k->gemm_bf16(y, LDY, w, x, (size_t)(2 * n_pairs), n, n_rows, n_pairs);
    compare(y, w, x, n, n_rows, n_pairs);
    for (int i = 0; i < last; i++)              /* nothing between the rows */
        CHECK(i % LDY < n_rows || y[i] == 7);
}

static void test_products(void **state)
{
    (void)state;
    for (int i = 0; sv_isa_name(i); i++) {
        k = sv_kernels_for(sv_isa_name(i));
        if (!k || !k->gemm_bf16)
            continue;
        for (int n = 1; n <= MAX_TOKENS; n++)
            one_case(n, SV_PANEL_ROWS, MAX_PAIRS);
        for (int n_rows = 1; n_rows < SV_PANEL_ROWS; n_rows++)
            one_case(n_rows + 9, n_rows, n_rows);
    }
}

int main(void)
{
    rng.state = check_seed();
    gw = guard_new(2 * SV_PANEL_ROWS * MAX_PAIRS * sizeof(uint16_t));
    gx = guard_new(2 * MAX_PAIRS * MAX_TOKENS * sizeof(uint16_t));
    gy = guard_new(MAX_TOKENS * LDY * sizeof(float));
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_products) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(gw), guard_free(gx), guard_free(gy);
    return failed;
}
