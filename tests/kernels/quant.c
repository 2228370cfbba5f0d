/* SPDX-License-Identifier: MIT */
/* Integer products: every set and type against ref, to the last bit, and ref
 * against dequantised weights in double. */
#include "check.h"

#include <math.h>

#include "base/rng.h"
#include "base/type.h"
#include "simd/kernels.h"

enum { MAX_K = 1024, MAX_SLABS = MAX_K / SV_DEPTH };

static sv_rng rng;
static sv_qtoken x_ref[MAX_SLABS * SV_GROUP], x_got[MAX_SLABS * SV_GROUP];
static sv_slab w_ref[MAX_SLABS], w_got[MAX_SLABS];
static uint8_t rows[16][MAX_K * 4], packed_ref[16 * MAX_K * 4], packed_got[16 * MAX_K * 4];
static float act[SV_GROUP][MAX_K];

/* Random bytes are valid blocks, but for the halves, which must be finite. */
static void random_rows(int type)
{
    const sv_type_info *t = sv_type_get((uint32_t)type);
    const sv_block_shape *s = &sv_block_shapes[type];
    for (int r = 0; r < 16; r++)
        for (int b = 0; b < MAX_K / t->block; b++) {
            uint8_t *p = &rows[r][b * t->block_bytes];
            for (int i = 0; i < t->block_bytes; i++)
                p[i] = (uint8_t)sv_rng_next(&rng);
            for (int h = 0; h < s->front + s->back; h++) {
                uint8_t *half = h < s->front ? p + 2 * h : p + 2 * h + 4 * s->words;
                uint32_t sign = sv_rng_below(&rng, 2) << 15;
                uint16_t v = (uint16_t)(0x2000 + sv_rng_below(&rng, 0x400) + sign);
                memcpy(half, &v, 2);
            }
        }
}

static void random_act(void)
{
    for (int t = 0; t < SV_GROUP; t++)
        for (int j = 0; j < MAX_K; j++)
            act[t][j] = (float)sv_rng_normal(&rng);
}

static void odd_act(void)
{
    random_act();
    act[0][0] = NAN;
    act[1][33] = -INFINITY;
    memset(act[2], 0, sizeof act[2]);
    act[3][70] = 1e-38f;
    act[4][64] = 3e38f;
    for (int j = 0; j < 32; j++)
        act[5][j] = 1e-36f;
}

static void test_quant_rows(void **state)
{
    (void)state;
    const sv_kernels *ref = sv_kernels_for("c");
    odd_act();
    for (int i = 0; sv_isa_name(i); i++) {
        const sv_kernels *k = sv_kernels_for(sv_isa_name(i));
        for (int n = 1; k && n <= SV_GROUP; n++) {
            memset(x_ref, 1, sizeof x_ref);
            memset(x_got, 1, sizeof x_got);
            ref->quant_rows(x_ref, act[0], MAX_K, n, MAX_K - SV_DEPTH);
            k->quant_rows(x_got, act[0], MAX_K, n, MAX_K - SV_DEPTH);
            CHECK(!memcmp(x_ref, x_got, sizeof x_ref));
        }
    }
    CHECK(isnan(x_ref[0].scale) && isnan(x_ref[SV_GROUP + 1].scale));
    CHECK(x_ref[2].scale == 0 && x_ref[5].scale == 0 && x_ref[5].q[3] == 0);
    for (int t = 0; t < SV_GROUP; t++)
        for (int j = 0; j < MAX_K - SV_DEPTH; j++) {
            const sv_qtoken *b = &x_ref[j / SV_DEPTH * SV_GROUP + t];
            if (!isfinite(b->scale) || !isfinite(act[t][j]))
                continue;
            double back = (double)b->scale * b->q[j % SV_DEPTH];
            CHECK(fabs(act[t][j] - back) <= b->scale * 0.5001 + 1e-30);   /* half a step */
        }
}

/* y against sums in double over dequantised weights. Every term is rounded a few times, and
 * each of at most depth / 8 additions rounds the sum so far: 2^-24 of the magnitude each. */
static void compare_exact(const sv_kernels *ref, int type, int depth, const float *y)
{
    static float w[MAX_K];
    for (int r = 0; r < 16; r++) {
        ref->dequant[type](w, rows[r], (size_t)depth);
        for (int t = 0; t < SV_GROUP; t++) {
            double sum = 0, magnitude = 0;
            for (int j = 0; j < depth; j++) {
                const sv_qtoken *b = &x_ref[j / SV_DEPTH * SV_GROUP + t];
                double x = (double)b->scale * b->q[j % SV_DEPTH];
                sum += w[j] * x;
                magnitude += (fabs(w[j]) + 1) * fabs(x);    /* 1 exceeds any minimum here */
            }
            CHECK(fabs(sum - (double)y[t * 16 + r]) <= (8 + depth / 8) * 0x1p-24 * magnitude);
        }
    }
}

/* One token straight from the packed panel, in two steps. */
static void check_gemv(const sv_kernels *k, int type, int n_blocks, int n_rows, const float *want)
{
    const sv_block_shape *s = &sv_block_shapes[type];
    float y[17];
    int half = n_blocks / 2, depth = half * s->slabs * SV_DEPTH;
    memset(y, 0x5a, sizeof y);
    uint32_t guard, after;
    memcpy(&guard, &y[n_rows], 4);
    k->gemv_quant[type](y, packed_ref, x_ref, n_rows, half, 0);
    k->gemv_quant[type](y, packed_ref + sv_packed_bytes(s, depth), x_ref + depth / SV_DEPTH, n_rows,
                        n_blocks - half, 1);
    CHECK(!memcmp(y, want, (size_t)n_rows * 4));
    memcpy(&after, &y[n_rows], 4);
    CHECK(guard == after);
}

static void one_case(const sv_kernels *ref, const sv_kernels *k, int type, int depth, int n,
                     int n_rows)
{
    static float y_ref[SV_GROUP * 16 + 1], y_got[SV_GROUP * 16 + 1];
    const sv_block_shape *s = &sv_block_shapes[type];
    int n_slabs = depth / SV_DEPTH, n_blocks = n_slabs / s->slabs;
    size_t bytes = sv_packed_bytes(s, depth);
    ref->quant_rows(x_ref, act[0], MAX_K, n, depth);
    ref->pack(packed_ref, rows[0], sizeof rows[0], n_rows, n_blocks, s);
    packed_got[bytes] = 0x5a;
    k->pack(packed_got, rows[0], sizeof rows[0], n_rows, n_blocks, s);
    CHECK(!memcmp(packed_ref, packed_got, bytes) && packed_got[bytes] == 0x5a);
    ref->expand[type](w_ref, packed_ref, n_blocks);
    k->expand[type](w_got, packed_ref, n_blocks);
    for (int i = 0; i < SV_GROUP * 16 + 1; i++)
        y_ref[i] = y_got[i] = (float)i;
    for (int part = 0; part < 2; part++) {      /* in two steps, to see that sums go on */
        int from = part ? n_slabs / 2 : 0, count = part ? n_slabs - n_slabs / 2 : n_slabs / 2;
        ref->gemm_quant[s->form](y_ref, 16, w_ref + from, x_ref + from * n, n, n_rows, count, s->zero, part);
        k->gemm_quant[s->form](y_got, 16, w_got + from, x_ref + from * n, n, n_rows, count, s->zero, part);
    }
    CHECK(!memcmp(y_ref, y_got, sizeof y_ref));
    if (n == 1 && k->gemv_quant[type])
        check_gemv(k, type, n_blocks, n_rows, y_ref);
    if (n == SV_GROUP && n_rows == 16)
        compare_exact(ref, type, depth, y_ref);
}

static void all_shapes(const sv_kernels *ref, const sv_kernels *k, int type)
{
    int block = sv_block_shapes[type].slabs * SV_DEPTH;
    random_rows(type);
    for (int n = 1; n <= SV_GROUP; n++)
        one_case(ref, k, type, 2 * block, n, 16);
    for (int n_rows = 1; n_rows < 16; n_rows++)
        one_case(ref, k, type, block, n_rows % 2 ? 1 : 5, n_rows);
    one_case(ref, k, type, MAX_K, SV_GROUP, 16);
}

static void test_products(void **state)
{
    (void)state;
    random_act();
    for (int type = 0; type < SV_KERNEL_TYPES; type++)
        for (int i = 0; sv_block_shapes[type].slabs && sv_isa_name(i); i++)
            if (sv_kernels_for(sv_isa_name(i)))
                all_shapes(sv_kernels_for("c"), sv_kernels_for(sv_isa_name(i)), type);
}

/* Saturating patterns: extreme bits against activations of +-127. */
static void set_extreme(int type, int pattern)
{
    const sv_type_info *info = sv_type_get((uint32_t)type);
    const sv_block_shape *s = &sv_block_shapes[type];
    random_rows(type);
    for (int r = 0; r < 16; r++)
        for (int b = 0; b < MAX_K / info->block; b++)
            memset(&rows[r][b * info->block_bytes + 2 * s->front], pattern & 1 ? 0xff : 0x80,
                   4u * s->words);
    for (int t = 0; t < SV_GROUP; t++)
        for (int j = 0; j < MAX_K; j++)
            act[t][j] = pattern & 2 || (t + j) % 3 == 0 ? -1.0f : 1.0f;
}

static void test_extremes(void **state)
{
    (void)state;
    for (int type = 0; type < SV_KERNEL_TYPES; type++)
        for (int pattern = 0; sv_block_shapes[type].slabs && pattern < 4; pattern++) {
            set_extreme(type, pattern);
            for (int i = 0; sv_isa_name(i); i++)
                if (sv_kernels_for(sv_isa_name(i)))
                    one_case(sv_kernels_for("c"), sv_kernels_for(sv_isa_name(i)), type, MAX_K,
                             SV_GROUP, 16);
        }
}

int main(void)
{
    rng.state = check_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quant_rows), cmocka_unit_test(test_products),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
