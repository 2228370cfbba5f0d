/* SPDX-License-Identifier: MIT */
/* Float kernels, written once for all sets. The file that includes this defines
 * vectors of W floats:
 *
 *     vf; vf_load(p) vf_store(p, v) vf_set(x)
 *     vf_part(p, n) vf_put_part(p, v, n)     the first 0 < n < W only, the rest 0
 *     vf_half(p) vf_half_part(p, n)          from halves
 *     vf_put_half(p, v)                      to halves
 *     vf_brain(p) vf_put_brain(p, v)         from and to bf16
 *     vf_add vf_sub vf_mul vf_div vf_max vf_min  (x, v): NaN in v is passed on
 *     vf_fma(a, b, c)                        a b + c
 *     vf_abs(v) vf_sum(v) vf_top(v)          the last two to a float
 *     vf_shift_exponent(v, n)                v times 2^n where n came out of MAGIC + n
 *     vf_at_least(v, x, low)                 per lane: x >= low (or NaN) ? v : 0
 *     vf_twice(p) vf_twice_part(p, n)        W / 2 floats, each twice; n counts results
 *     vf_swap(v) vf_addsub(a, b, c)          of pairs; a b - c, a b + c in turn
 *     GEMM_COLS PANEL_TILE                   columns and rows of register tiles
 *
 * Sums run in W lanes and several chains, so they differ from ref's in the last bits;
 * tests/kernels/float.c says by how much at most. */
#include <math.h>
#include <string.h>

#include "simd/inline.h"

/* ---- sums ------------------------------------------------------------------- */

#define DOT(name, type, load, part)                                                  \
    static float name(const type *x, const float *y, int n)                          \
    {                                                                                \
        vf s0 = vf_set(0), s1 = s0, s2 = s0, s3 = s0;                                \
        int i = 0;                                                                   \
        for (; i + 4 * W <= n; i += 4 * W) {                                         \
            s0 = vf_fma(load(x + i), vf_load(y + i), s0);                            \
            s1 = vf_fma(load(x + i + W), vf_load(y + i + W), s1);                    \
            s2 = vf_fma(load(x + i + 2 * W), vf_load(y + i + 2 * W), s2);            \
            s3 = vf_fma(load(x + i + 3 * W), vf_load(y + i + 3 * W), s3);            \
        }                                                                            \
        for (; i + W <= n; i += W)                                                   \
            s0 = vf_fma(load(x + i), vf_load(y + i), s0);                            \
        if (i < n)                                                                   \
            s1 = vf_fma(part(x + i, n - i), vf_part(y + i, n - i), s1);              \
        return vf_sum(vf_add(vf_add(s0, s1), vf_add(s2, s3)));                       \
    }
DOT(dot_f32, float, vf_load, vf_part)
DOT(dot_f16, uint16_t, vf_half, vf_half_part)

INLINE vf vf_brain_part(const uint16_t *p, int n)
{
    uint16_t all[W] = { 0 };
    memcpy(all, p, (size_t)n * sizeof *p);
    return vf_brain(all);
}
DOT(dot_bf16, uint16_t, vf_brain, vf_brain_part)

#define DOT_ROW(name)                                                                \
    static float dot_row_##name(const void *w, const float *x, size_t n)             \
    {                                                                                \
        return dot_##name(w, x, (int)n);                                             \
    }
DOT_ROW(f32)
DOT_ROW(f16)
DOT_ROW(bf16)

static float sum_of(const float *x, int n)
{
    vf s0 = vf_set(0), s1 = s0;
    int i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        s0 = vf_add(s0, vf_load(x + i));
        s1 = vf_add(s1, vf_load(x + i + W));
    }
    for (; i + W <= n; i += W)
        s0 = vf_add(s0, vf_load(x + i));
    if (i < n)
        s1 = vf_add(s1, vf_part(x + i, n - i));
    return vf_sum(vf_add(s0, s1));
}

/* ---- element by element ------------------------------------------------------ */

/* Runs one(i, load, store) over whole vectors and once over the rest. */
#define EACH(n, one)                                                                 \
    do {                                                                             \
        int i = 0;                                                                   \
        for (; i + W <= (n); i += W)                                                 \
            one(vf_load, vf_half, vf_store);                                         \
        if (i < (n))                                                                 \
            one(LOAD_PART, HALF_PART, STORE_PART);                                   \
    } while (0)
#define LOAD_PART(p) vf_part(p, n - i)
#define HALF_PART(p) vf_half_part(p, n - i)
#define STORE_PART(p, v) vf_put_part(p, v, n - i)

static void axpy_f32(float *y, float a, const float *x, int n)
{
    vf va = vf_set(a);
#define ONE(load, half, store) store(y + i, vf_fma(va, load(x + i), load(y + i)))
    EACH(n, ONE);
#undef ONE
}

static void axpy_f16(float *y, float a, const uint16_t *x, int n)
{
    vf va = vf_set(a);
#define ONE(load, half, store) store(y + i, vf_fma(va, half(x + i), load(y + i)))
    EACH(n, ONE);
#undef ONE
}

static void add_f32(float *y, const float *x, int n)
{
#define ONE(load, half, store) store(y + i, vf_add(load(y + i), load(x + i)))
    EACH(n, ONE);
#undef ONE
}

static void scale_f32(float *y, float a, int n)
{
    vf va = vf_set(a);
#define ONE(load, half, store) store(y + i, vf_mul(load(y + i), va))
    EACH(n, ONE);
#undef ONE
}

static void rms_norm(float *y, const float *x, const float *w, int n, float eps)
{
    vf scale = vf_set(1.0f / sqrtf(dot_f32(x, x, n) / (float)n + eps));
#define ONE(load, half, store) store(y + i, vf_mul(vf_mul(load(x + i), scale), load(w + i)))
    EACH(n, ONE);
#undef ONE
}

static void layer_norm(float *y, const float *x, const float *w, const float *b, int n, float eps)
{
    vf mean = vf_set(sum_of(x, n) / (float)n), s0 = vf_set(0), s1 = s0;
    int at = 0;
    for (; at + 2 * W <= n; at += 2 * W) {
        vf d0 = vf_sub(vf_load(x + at), mean), d1 = vf_sub(vf_load(x + at + W), mean);
        s0 = vf_fma(d0, d0, s0);
        s1 = vf_fma(d1, d1, s1);
    }
    float square = vf_sum(vf_add(s0, s1));
    for (; at < n; at++)
        square += (x[at] - vf_first(mean)) * (x[at] - vf_first(mean));
    vf scale = vf_set(1.0f / sqrtf(square / (float)n + eps));
#define ONE(load, half, store)                                                       \
    store(y + i, vf_fma(vf_mul(vf_sub(load(x + i), mean), scale), load(w + i), load(b + i)))
    EACH(n, ONE);
#undef ONE
}

/* ---- functions with an exponential -------------------------------------------- */

/* e^x = 2^n e^r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 P(r) with P of degree 4, near minimax:
 * 8e-9 of the value, so rounding, below 2 units in the last place, is what shows. Below LOW
 * it is 0, above HIGH as at HIGH. */
#define EXP_LOW (-87.3f)
#define EXP_HIGH 88.3f
#define MAGIC 12582912.0f         /* 1.5 * 2^23: adding it rounds to an integer */

INLINE vf vf_exp(vf x)
{
    vf z = vf_max(vf_set(EXP_LOW), vf_min(vf_set(EXP_HIGH), x));
    vf shifted = vf_fma(z, vf_set(1.44269504f), vf_set(MAGIC));
    vf n = vf_sub(shifted, vf_set(MAGIC));
    vf r = vf_fma(n, vf_set(-0.693145752f), z);         /* ln 2, high and low part */
    r = vf_fma(n, vf_set(-1.42860677e-6f), r);
    vf p = vf_fma(vf_set(0.001392617612f), r, vf_set(0.008363173075f));
    p = vf_fma(p, r, vf_set(0.04166655466f));
    p = vf_fma(p, r, vf_set(0.1666657703f));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_add(vf_fma(vf_mul(r, r), p, r), vf_set(1));
    return vf_at_least(vf_shift_exponent(p, shifted), x, EXP_LOW);
}

static float top_of(const float *x, int n)
{
    vf top = vf_set(-INFINITY);
    int i = 0;
    for (; i + W <= n; i += W)
        top = vf_max(top, vf_load(x + i));
    float max = vf_top(top);
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static void softmax(float *x, int n)
{
    float max = top_of(x, n);
    if (max == -INFINITY) {                           /* all -inf, which gives 0, or NaN */
        for (int i = 0; i < n; i++)
            x[i] = x[i] == -INFINITY ? 0 : x[i];
        return;
    }
    vf top = vf_set(max);
#define ONE(load, half, store) store(x + i, vf_exp(vf_sub(load(x + i), top)))
    EACH(n, ONE);
#undef ONE
    scale_f32(x, 1.0f / sum_of(x, n), n);
}

INLINE vf sigmoid_times(vf x, vf z)                   /* x / (1 + e^-z) */
{
    vf one = vf_set(1);
    return vf_div(x, vf_add(one, vf_exp(vf_sub(vf_set(0), z))));
}

static void silu_mul(float *y, const float *gate, const float *up, int n)
{
#define ONE(load, half, store)                                                       \
    do {                                                                             \
        vf g = load(gate + i);                                                       \
        store(y + i, vf_mul(sigmoid_times(g, g), load(up + i)));                     \
    } while (0)
    EACH(n, ONE);
#undef ONE
}

static void gelu_quick(float *x, int n)
{
    vf slope = vf_set(1.702f);
#define ONE(load, half, store)                                                       \
    do {                                                                             \
        vf v = load(x + i);                                                          \
        store(x + i, sigmoid_times(v, vf_mul(v, slope)));                            \
    } while (0)
    EACH(n, ONE);
#undef ONE
}

/* x / 2 (1 + erf(x / sqrt 2)) = max(x, 0) - |x| / 2 erfc(u), u = |x| / sqrt 2, which is
 * accurate far below zero too. erfc(u) = e^(-u^2) t P(t), t = 1 / (1 + 0.4 u), P of degree 9,
 * near minimax for u <= 9.5: 2e-8 of the value. Beyond it is 0. */
INLINE vf vf_gelu(vf x)
{
    static const float c[] = {
        -0.034322900981f, 0.22343910238f, -0.55794074085f, 0.62532341224f, -0.34826920442f,
        0.30585649601f, 0.11818731263f, 0.21733909487f, 0.22466608539f, 0.22572134375f
    };
    vf size = vf_min(vf_set(13.3f), vf_abs(x)), u = vf_mul(size, vf_set(0.70710678f));
    vf t = vf_div(vf_set(1), vf_fma(u, vf_set(0.4f), vf_set(1))), p = vf_set(c[0]);
    UNROLL(9) for (int i = 1; i < 10; i++)
        p = vf_fma(p, t, vf_set(c[i]));
    vf erfc = vf_mul(vf_exp(vf_mul(vf_mul(size, size), vf_set(-0.5f))), vf_mul(t, p));
    return vf_sub(vf_max(vf_set(0), x), vf_mul(vf_mul(size, vf_set(0.5f)), erfc));
}

static void gelu(float *x, int n)
{
#define ONE(load, half, store) store(x + i, vf_gelu(load(x + i)))
    EACH(n, ONE);
#undef ONE
}

static void rope(float *x, const float *cos, const float *sin, int n_pairs)
{
    int i = 0, n = 2 * n_pairs;
    for (; i + W <= n; i += W) {
        vf v = vf_load(x + i), across = vf_mul(vf_swap(v), vf_twice(sin + i / 2));
        vf_store(x + i, vf_addsub(v, vf_twice(cos + i / 2), across));
    }
    if (i < n) {
        vf v = vf_part(x + i, n - i);
        vf across = vf_mul(vf_swap(v), vf_twice_part(sin + i / 2, n - i));
        vf_put_part(x + i, vf_addsub(v, vf_twice_part(cos + i / 2, n - i), across), n - i);
    }
}

/* ---- conversions -------------------------------------------------------------- */

/* The rest, shorter than a vector, goes through one of its own. */
#define CONVERT(name, to, from, load, store)                                         \
    static void name(to *y, const from *x, size_t n)                                 \
    {                                                                                \
        size_t i = 0;                                                                \
        for (; i + W <= n; i += W)                                                   \
            store(y + i, load(x + i));                                               \
        if (i < n) {                                                                 \
            from in[W] = { 0 };                                                      \
            to out[W];                                                               \
            memcpy(in, x + i, (n - i) * sizeof *x);                                  \
            store(out, load(in));                                                    \
            memcpy(y + i, out, (n - i) * sizeof *y);                                 \
        }                                                                            \
    }
CONVERT(f16_to_f32, float, uint16_t, vf_half, vf_store)
CONVERT(f32_to_f16, uint16_t, float, vf_load, vf_put_half)
CONVERT(bf16_to_f32, float, uint16_t, vf_brain, vf_store)
CONVERT(f32_to_bf16, uint16_t, float, vf_load, vf_put_brain)

static void dequant_f16(float *y, const void *x, size_t n)
{
    f16_to_f32(y, x, n);
}

static void dequant_bf16(float *y, const void *x, size_t n)
{
    bf16_to_f32(y, x, n);
}

/* ---- products without BLAS ------------------------------------------------------ */

/* rows x cols dot products, each summed in one vector whatever the tile. */
INLINE void gemm_tile(float *c, int ldc, const float *a, int lda, const float *b, int ldb,
                      int rows, int cols, int k, int add)
{
    vf s[4][4];
    UNROLL(4) for (int r = 0; r < rows; r++)
        UNROLL(4) for (int j = 0; j < cols; j++)
            s[r][j] = vf_set(0);
    int i = 0;
    for (; i + W <= k; i += W)
        UNROLL(4) for (int j = 0; j < cols; j++) {
            vf v = vf_load(b + (size_t)j * ldb + i);
            UNROLL(4) for (int r = 0; r < rows; r++)
                s[r][j] = vf_fma(vf_load(a + (size_t)r * lda + i), v, s[r][j]);
        }
    UNROLL(4) for (int r = 0; r < rows; r++)
        UNROLL(4) for (int j = 0; j < cols; j++) {
            if (i < k)
                s[r][j] = vf_fma(vf_part(a + (size_t)r * lda + i, k - i),
                                 vf_part(b + (size_t)j * ldb + i, k - i), s[r][j]);
            float *to = &c[(size_t)r * ldc + j], dot = vf_sum(s[r][j]);
            *to = add ? *to + dot : dot;
        }
}

static void gemm_f32(float *c, int ldc, const float *a, int lda, const float *b, int ldb,
                     int m, int n, int k, int add)
{
    for (int j = 0; j < n;) {
        int cols = j + GEMM_COLS <= n ? GEMM_COLS : 1;
        const float *bj = b + (size_t)j * ldb;
        for (int i = 0; i < m;) {
            const float *ai = a + (size_t)i * lda;
            float *to = c + (size_t)i * ldc + j;
            int rows = i + 4 <= m ? 4 : 1;
            if (cols > 1 && rows > 1)
                gemm_tile(to, ldc, ai, lda, bj, ldb, 4, GEMM_COLS, k, add);
            else if (cols > 1)
                gemm_tile(to, ldc, ai, lda, bj, ldb, 1, GEMM_COLS, k, add);
            else if (rows > 1)
                gemm_tile(to, ldc, ai, lda, bj, ldb, 4, 1, k, add);
            else
                gemm_tile(to, ldc, ai, lda, bj, ldb, 1, 1, k, add);
            i += rows;
        }
        j += cols;
    }
}

/* ---- attention's products -------------------------------------------------------- */

enum { VECTORS = SV_PANEL_ROWS / W };

INLINE void panel_tile(float *y, size_t ldy, const float *w, size_t ldw, const float *x, size_t ldx,
                       int n, int depth, int add)
{
    vf s[PANEL_TILE][VECTORS];
    UNROLL(16) for (int t = 0; t < n; t++)
        UNROLL(4) for (int v = 0; v < VECTORS; v++)
            s[t][v] = add ? vf_load(y + (size_t)t * ldy + v * W) : vf_set(0);
    for (int d = 0; d < depth; d++, w += ldw) {
        vf row[VECTORS];
        UNROLL(4) for (int v = 0; v < VECTORS; v++)
            row[v] = vf_load(w + v * W);
        UNROLL(16) for (int t = 0; t < n; t++) {
            vf one = vf_set(x[(size_t)t * ldx + (size_t)d]);
            UNROLL(4) for (int v = 0; v < VECTORS; v++)
                s[t][v] = vf_fma(one, row[v], s[t][v]);
        }
    }
    UNROLL(16) for (int t = 0; t < n; t++)
        UNROLL(4) for (int v = 0; v < VECTORS; v++)
            vf_store(y + (size_t)t * ldy + v * W, s[t][v]);
}

static void gemm_panel(float *y, size_t ldy, const float *w, size_t ldw, const float *x, size_t ldx,
                       int n, int depth, int add)
{
    while (n > 0) {
        int count = n >= PANEL_TILE ? PANEL_TILE : n >= 4 ? 4 : 1;
        if (count == PANEL_TILE)
            panel_tile(y, ldy, w, ldw, x, ldx, PANEL_TILE, depth, add);
        else if (count == 4)
            panel_tile(y, ldy, w, ldw, x, ldx, 4, depth, add);
        else
            panel_tile(y, ldy, w, ldw, x, ldx, 1, depth, add);
        n -= count;
        y += (size_t)count * ldy;
        x += (size_t)count * ldx;
    }
}

/* What the set has of this file. */
static void fill_float(sv_kernels *k)
{
    k->dot_f32 = dot_f32;
    k->dot_f16 = dot_f16;
    k->axpy_f32 = axpy_f32;
    k->axpy_f16 = axpy_f16;
    k->add_f32 = add_f32;
    k->scale_f32 = scale_f32;
    k->rms_norm = rms_norm;
    k->layer_norm = layer_norm;
    k->softmax = softmax;
    k->silu_mul = silu_mul;
    k->gelu = gelu;
    k->gelu_quick = gelu_quick;
    k->rope = rope;
    k->f16_to_f32 = f16_to_f32;
    k->f32_to_f16 = f32_to_f16;
    k->bf16_to_f32 = bf16_to_f32;
    k->f32_to_bf16 = f32_to_bf16;
    k->dequant[1] = dequant_f16;
    k->dequant[30] = dequant_bf16;
    k->dot_row[0] = dot_row_f32;
    k->dot_row[1] = dot_row_f16;
    k->dot_row[30] = dot_row_bf16;
    k->gemm_f32 = gemm_f32;
    k->gemm_panel = gemm_panel;
}
