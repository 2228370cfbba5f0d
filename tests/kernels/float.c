/* SPDX-License-Identifier: MIT */
/* Float kernels of every set against ref (which is measured by hand in ref_float.c): all
 * lengths and alignments, before a page that may not be touched. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "guard.h"
#include "simd/kernels.h"

enum { MAX_N = 257, N_LENGTHS = MAX_N + 1 };

static sv_rng rng;
static const sv_kernels *ref, *k;
static guard *gx, *gy, *gz, *gh;

/* Half a unit in the last place of a value. */
static double rounding(double v)
{
    return 0x1p-24 * fabs(v) + 0x1p-149;
}

static void random_floats(float *x, int n, float size)
{
    for (int i = 0; i < n; i++)
        x[i] = size * (float)sv_rng_normal(&rng);
}

/* Buffers end where a page begins that may not be touched, so that their starts take every
 * alignment. */
static void each_length(void (*check)(int n))
{
    for (int i = 0; sv_isa_name(i); i++) {
        k = sv_kernels_for(sv_isa_name(i));
        for (int n = 0; k && n < N_LENGTHS; n++)
            check(n);
    }
}

static void near_all(const char *what, const float *want, const float *got, int n, double roundings,
                     double magnitude)
{
    for (int i = 0; i < n; i++) {
        double slack = roundings * rounding(fmax(fabs((double)want[i]), magnitude));
        if (!(fabs((double)want[i] - got[i]) <= slack) && !(isnan(want[i]) && isnan(got[i])))
            fail_msg("%s %s, n %d, element %d: %.9g, ref has %.9g", k->isa, what, n, i,
                     (double)got[i], (double)want[i]);
    }
}

/* A sum of n products in any order errs by at most n roundings of their magnitudes' sum. */
static void check_dots(int n)
{
    float *x = guard_end(gx, n, sizeof *x), *y = guard_end(gy, n, sizeof *y);
    uint16_t *h = guard_end(gh, n, sizeof *h);
    random_floats(x, n, 1);
    random_floats(y, n, 1);
    ref->f32_to_f16(h, x, (size_t)n);
    double magnitude = 0;
    for (int i = 0; i < n; i++)
        magnitude += fabs((double)x[i] * y[i]) + 1e-3;
    float want = ref->dot_f32(x, y, n), got = k->dot_f32(x, y, n);
    near_all("dot_f32", &want, &got, n > 0, n + 1, magnitude);
    want = ref->dot_f16(h, y, n);
    got = k->dot_f16(h, y, n);
    near_all("dot_f16", &want, &got, n > 0, n + 1, magnitude);
    if (n == 0)
        CHECK(got == 0);
}

static void check_vectors(int n)
{
    static float want[MAX_N], start[MAX_N];
    float *x = guard_end(gx, n, sizeof *x), *y = guard_end(gy, n, sizeof *y);
    uint16_t *h = guard_end(gh, n, sizeof *h);
    size_t n_bytes = (size_t)n * sizeof *y;
    random_floats(x, n, 1);
    random_floats(start, n, 1);
    ref->f32_to_f16(h, x, (size_t)n);
#define AGAINST(name, roundings, magnitude, ...)            \
    do {                                                    \
        float *to = want;                                   \
        memcpy(want, start, n_bytes);                       \
        memcpy(y, start, n_bytes);                          \
        ref->name(to, __VA_ARGS__);                         \
        to = y;                                             \
        k->name(to, __VA_ARGS__);                           \
        near_all(#name, want, y, n, roundings, magnitude);  \
    } while (0)
    AGAINST(axpy_f32, 2, 4, 0.7f, x, n);        /* a fused product is rounded once less */
    AGAINST(axpy_f16, 2, 4, 0.7f, h, n);
    AGAINST(add_f32, 0, 0, x, n);
    AGAINST(scale_f32, 0, 0, 0.3f, n);
}

static void check_norms(int n)
{
    static float want[MAX_N];
    float *x = guard_end(gx, n, sizeof *x), *y = guard_end(gy, n, sizeof *y);
    float *w = guard_end(gz, n, sizeof *w);
    if (n == 0)
        return;
    random_floats(x, n, 3);
    random_floats(w, n, 1);
    float *to = want;
    /* the sum of squares, all positive, errs by n roundings, its root by half of them */
    ref->rms_norm(to, x, w, n, 1e-5f);
    k->rms_norm(y, x, w, n, 1e-5f);
    near_all("rms_norm", want, y, n, n / 2 + 6, 0);
    /* x - mean errs by n roundings of the largest; shifts and scales of up to 4 */
    ref->layer_norm(to, x, w, w, n, 0.1f);
    k->layer_norm(y, x, w, w, n, 0.1f);
    near_all("layer_norm", want, y, n, 2 * n + 16, 40);
}

static void check_activations(int n)
{
    static float want[MAX_N], start[MAX_N];
    float *y = guard_end(gy, n, sizeof *y), *x = guard_end(gx, n, sizeof *x);
    float *up = guard_end(gz, n, sizeof *up);
    size_t n_bytes = (size_t)n * sizeof *y;
    random_floats(start, n, n % 2 ? 2 : 30);
    random_floats(up, n, 1);
    memcpy(x, start, n_bytes);
    ref->silu_mul(want, x, up, n);
    k->silu_mul(y, x, up, n);
    /* e^-z errs by 2 units in the last place, and is cut off at e^88 */
    near_all("silu_mul", want, y, n, 12, 1e-28);
    memcpy(want, start, n_bytes);
    memcpy(y, start, n_bytes);
    ref->gelu_quick(want, n);
    k->gelu_quick(y, n);
    /* the product 1.702 x, up to 90 before all vanishes, is rounded before the exponential */
    near_all("gelu_quick", want, y, n, 12 + 2 * 90, 1e-28);
    memcpy(want, start, n_bytes);
    memcpy(y, start, n_bytes);
    ref->gelu(want, n);
    k->gelu(y, n);
    /* ref loses its relative accuracy below 0, where 1 + erf cancels: 8 roundings of |x| */
    for (int i = 0; i < n; i++)
        CHECK(fabs((double)want[i] - y[i]) <= 8 * rounding(start[i]));
}

static void check_softmax(int n)
{
    static float want[MAX_N];
    float *x = guard_end(gx, n, sizeof *x);
    random_floats(x, n, n % 3 ? 2 : 40);
    if (n > 2 && n % 5 == 0)
        x[n / 2] = -INFINITY;
    memcpy(want, x, (size_t)n * sizeof *x);
    ref->softmax(want, n);
    k->softmax(x, n);
    near_all("softmax", want, x, n, n + 12, 1e-30);
    if (n > 2 && n % 5 == 0)
        CHECK(x[n / 2] == 0);
    for (int i = 0; i < n; i++)
        x[i] = -INFINITY;
    k->softmax(x, n);
    for (int i = 0; i < n; i++)
        CHECK(x[i] == 0);
    for (int i = 0; i < n; i++)
        x[i] = i ? NAN : -INFINITY;
    k->softmax(x, n);                           /* a NaN is still one, whatever the rest is */
    for (int i = 1; i < n; i++)
        CHECK(isnan(x[i]));
}

static void check_rope(int n)
{
    static float want[2 * MAX_N];
    int n_pairs = n / 2;
    float *x = guard_end(gx, 2 * n_pairs, sizeof *x);
    float *c = guard_end(gy, n_pairs, sizeof *c), *s = guard_end(gz, n_pairs, sizeof *s);
    random_floats(x, 2 * n_pairs, 1);
    for (int i = 0; i < n_pairs; i++) {
        c[i] = cosf((float)i);
        s[i] = sinf((float)i);
    }
    memcpy(want, x, (size_t)(2 * n_pairs) * sizeof *x);
    ref->rope(want, c, s, n_pairs);
    k->rope(x, c, s, n_pairs);
    near_all("rope", want, x, 2 * n_pairs, 3, 5);
}

/* Conversions are exact, NaN included; the interesting patterns pass by as n grows. */
static void check_conversions(int n)
{
    static uint16_t h_want[MAX_N];
    static float f_want[MAX_N];
    uint16_t *h = guard_end(gh, n, sizeof *h);
    float *x = guard_end(gx, n, sizeof *x);
    for (int i = 0; i < n; i++)
        h[i] = (uint16_t)(n * 257 + i * 4099);
#define SAME(name, want, got, from)                                          \
    do {                                                                     \
        ref->name(want, from, (size_t)n);                                    \
        k->name(got, from, (size_t)n);                                       \
        CHECK(!memcmp(want, got, (size_t)n * sizeof want[0]));               \
    } while (0)
    SAME(f16_to_f32, f_want, x, h);
    SAME(bf16_to_f32, f_want, x, h);
    for (int i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)sv_rng_next(&rng);
        memcpy(&x[i], &bits, 4);
    }
    SAME(f32_to_f16, h_want, h, x);
    SAME(f32_to_bf16, h_want, h, x);
    random_floats(x, n, 1);
    SAME(f32_to_f16, h_want, h, x);
}

static void check_gemm(int k_dim)
{
    enum { M = 7, N = 6 };
    float want[M][N], got[M][N];
    float *a = guard_end(gx, M * k_dim, sizeof *a), *b = guard_end(gy, N * k_dim, sizeof *b);
    if (k_dim > 70)
        return;
    random_floats(a, M * k_dim, 1);
    random_floats(b, N * k_dim, 1);
    for (int add = 0; add < 2; add++)
        for (int m = 1; m <= M; m++) {
            random_floats(want[0], M * N, 1);
            memcpy(got, want, sizeof got);
            ref->gemm_f32(want[0], N, a, k_dim, b, k_dim, m, N, k_dim, add);
            k->gemm_f32(got[0], N, a, k_dim, b, k_dim, m, N, k_dim, add);
            near_all("gemm_f32", want[0], got[0], M * N, k_dim + 2, 3.0 * k_dim + 5);
        }
    random_floats(got[0], M * N, 1);
    k->gemm_f32(got[0], N, a, k_dim, b, k_dim, M, N, k_dim, 0);
    k->gemm_f32(want[0], N, a, k_dim, b, k_dim, 1, N, k_dim, 0);
    CHECK(!memcmp(want, got, sizeof want[0]));  /* a row is the same whatever its company */
}

/* n of depth, sixteen columns; the order of summing is given, so a row is the same in any
 * company. */
static void check_panels(int n)
{
    enum { DEPTH = 37, LD = 41 };
    static float want[SV_GROUP][LD], got[SV_GROUP][LD];
    float *x = guard_end(gx, DEPTH, sizeof *x), *w = guard_end(gy, 8 * MAX_N, sizeof *w);
    float *rows = guard_end(gz, 8 * MAX_N, sizeof *rows);
    if (n > DEPTH)
        return;
    random_floats(w, 8 * MAX_N, 1);
    random_floats(rows, 8 * MAX_N, 1);
    for (int count = 1; count <= SV_GROUP; count++) {
        random_floats(want[0], SV_GROUP * LD, 1);
        memcpy(got, want, sizeof got);
        ref->gemm_panel(want[0], LD, w, 17, rows, 40, count, n, count % 2);
        k->gemm_panel(got[0], LD, w, 17, rows, 40, count, n, count % 2);
        near_all("gemm_panel", want[0], got[0], SV_GROUP * LD, n + 1, 3.0 * n + 5);
        CHECK(!memcmp(&want[count - 1][16], &got[count - 1][16], (LD - 16) * sizeof(float)));
        k->gemm_panel(want[0], LD, w, 17, rows, 40, 1, n, 0);
        k->gemm_panel(got[0], LD, w, 17, rows, 40, count, n, 0);
        CHECK(!memcmp(want, got, 16 * sizeof(float)));
        ref->panel_f32(want[0], x, 1, count < n ? count : n, n ? DEPTH - n + 1 : 0);
        k->panel_f32(got[0], x, 1, count < n ? count : n, n ? DEPTH - n + 1 : 0);
        CHECK(!memcmp(want, got, (size_t)(n ? DEPTH - n + 1 : 0) * 64));
    }
}

/* Rows that overlap, one float apart, and end where the page begins. */
static void check_transposing(int depth)
{
    static float want[16 * MAX_N], got[16 * MAX_N + 1];
    for (int n_rows = 1; n_rows <= 16; n_rows += 5) {
        int n = depth ? depth + n_rows - 1 : 0;
        float *x = guard_end(gx, n, sizeof *x);
        random_floats(x, n, 1);
        got[16 * depth] = 77;
        ref->panel_f32(want, x, 1, n_rows, depth);
        k->panel_f32(got, x, 1, n_rows, depth);
        CHECK(!memcmp(want, got, (size_t)depth * 64) && got[16 * depth] == 77);
    }
}

#define TEST(name)                          \
    static void test_##name(void **state)   \
    {                                       \
        (void)state;                        \
        each_length(check_##name);          \
    }
TEST(dots)
TEST(vectors)
TEST(norms)
TEST(activations)
TEST(softmax)
TEST(rope)
TEST(conversions)
TEST(gemm)
TEST(panels)
TEST(transposing)

int main(void)
{
    rng.state = check_seed();
    ref = sv_kernels_for("c");
    size_t room = 8 * MAX_N * sizeof(float);
    gx = guard_new(room), gy = guard_new(room), gz = guard_new(room), gh = guard_new(room);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dots), cmocka_unit_test(test_vectors), cmocka_unit_test(test_norms),
        cmocka_unit_test(test_activations), cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_rope), cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_gemm), cmocka_unit_test(test_panels),
        cmocka_unit_test(test_transposing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(gx), guard_free(gy), guard_free(gz), guard_free(gh);
    return failed;
}
