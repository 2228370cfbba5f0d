/* SPDX-License-Identifier: MIT */
/* Blocks of 256: groups of 16 or 32 with small integer scales over one (or two)
 * halves. Each group is fitted alone; the fits are rounded to the block's common
 * scale; then the common scale and the values are fitted to each other. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/quantize_block.h"
#include "tensor/quantize_fit.h"

enum { BLOCK = 256, MAX_GROUPS = 16, ROUNDS = 3 };

static void weigh(float *w, const float *x)
{
    float square = 0;
    for (int i = 0; i < BLOCK; i++)
        square += x[i] * x[i];
    float rms = sqrtf(square / BLOCK);
    for (int i = 0; i < BLOCK; i++)
        w[i] = rms + fabsf(x[i]);
}

static int clamp_round(float v, int lo, int hi)
{
    return v <= (float)lo ? lo : v >= (float)hi ? hi : (int)lrintf(v);
}

/* ---- scale per group: Q3_K, Q6_K ----------------------------------------------- */

typedef struct scaled {
    float d;                      /* as stored, half precision        */
    int scale[MAX_GROUPS];
    int q[BLOCK];
} scaled;

typedef struct scaled_kind { int lo, hi, scale_lo, scale_hi; } scaled_kind;      /* groups of 16 */

static float half_of(float f)
{
    uint8_t b[2];
    return sv_put_half(b, f);
}

/* Rounds all values for the scales in b; returns the best common d for them, and in
 * *error the weighted squared error with b->d. */
static float round_scaled(scaled *b, const float *x, const float *w, const scaled_kind *k,
                          float *error)
{
    float xs = 0, ss = 0, e = 0;
    for (int g = 0; g < BLOCK / 16; g++) {
        float d = b->d * (float)b->scale[g];
        sv_round_all(b->q + 16 * g, x + 16 * g, 16, d, 0, k->lo, k->hi);
        for (int i = 16 * g; i < 16 * g + 16; i++) {
            float s = (float)(b->scale[g] * b->q[i]), off = x[i] - d * (float)b->q[i];
            xs += w[i] * s * x[i];
            ss += w[i] * s * s;
            e += w[i] * off * off;
        }
    }
    *error = e;
    return ss > 0 ? xs / ss : 0;
}

static void fit_scaled(scaled *best, const float *x, const scaled_kind *k)
{
    float w[BLOCK], s[MAX_GROUPS], top = 0, least = FLT_MAX, error;
    scaled b;
    weigh(w, x);
    for (int g = 0; g < BLOCK / 16; g++) {
        s[g] = sv_fit_scale(x + 16 * g, w + 16 * g, 16, k->lo, k->hi);
        if (fabsf(s[g]) > fabsf(top))
            top = s[g];
    }
    memset(best, 0, sizeof *best);
    b.d = half_of(top / (float)k->scale_lo);
    for (int round = 0; round < ROUNDS && b.d != 0; round++) {
        for (int g = 0; g < BLOCK / 16; g++)
            b.scale[g] = clamp_round(s[g] / b.d, k->scale_lo, k->scale_hi);
        float next = round_scaled(&b, x, w, k, &error);
        if (error < least) {
            least = error;
            *best = b;
        }
        b.d = half_of(next);
    }
}

void sv_quantize_q6_k(uint8_t *out, const float *x)
{
    static const scaled_kind kind = { -32, 31, -128, 127 };
    scaled b;
    fit_scaled(&b, x, &kind);
    memset(out, 0, 208);
    for (int i = 0; i < BLOCK; i++) {
        int half = i / 128, pair = i % 128 / 32, l = i % 32, v = b.q[i] + 32;
        out[64 * half + 32 * (pair & 1) + l] |= (uint8_t)((v & 15) << 4 * (pair / 2));
        out[128 + 32 * half + l] |= (uint8_t)(v >> 4 << 2 * pair);
    }
    for (int g = 0; g < 16; g++)
        out[192 + g] = (uint8_t)b.scale[g];
    sv_put_half(out + 208, b.d);
}

void sv_quantize_q3_k(uint8_t *out, const float *x)
{
    static const scaled_kind kind = { -4, 3, -32, 31 };
    scaled b;
    fit_scaled(&b, x, &kind);
    memset(out, 0, 108);
    for (int i = 0; i < BLOCK; i++) {
        int half = i / 128, pair = i % 128 / 32, l = i % 32, v = b.q[i] + 4;
        out[l] |= (uint8_t)(v >> 2 << (4 * half + pair));
        out[32 + 32 * half + l] |= (uint8_t)((v & 3) << 2 * pair);
    }
    for (int g = 0; g < 16; g++) {
        int s = b.scale[g] + 32;
        out[96 + g % 8] |= (uint8_t)((s & 15) << (g < 8 ? 0 : 4));
        out[104 + g % 4] |= (uint8_t)(s >> 4 << 2 * (g / 4));
    }
    sv_put_half(out + 108, b.d);
}

/* ---- scale and minimum per group: Q2_K, Q4_K, Q5_K ------------------------------ */

typedef struct offset {
    float d, dmin;                /* as stored                        */
    int scale[MAX_GROUPS], min[MAX_GROUPS];
    int q[BLOCK];
} offset;

typedef struct offset_kind {
    int n_group, hi, top;
} offset_kind; /* top: of scales and minima */

/* Rounds all values for the scales and minima in b; returns the best d and dmin for
 * them (as d and -m), and in *error the weighted squared error with those of b. */
static sv_affine round_offset(offset *b, const float *x, const float *w, const offset_kind *k,
                              float *error)
{
    float ss = 0, sm = 0, mm = 0, xs = 0, xm = 0, e = 0;
    for (int i = 0; i < BLOCK; i++) {
        int g = i / k->n_group;
        float d = b->d * (float)b->scale[g], m = b->dmin * (float)b->min[g];
        if (i % k->n_group == 0)
            sv_round_all(b->q + i, x + i, k->n_group, d, -m, 0, k->hi);
        float s = (float)(b->scale[g] * b->q[i]), n = (float)b->min[g],
              off = x[i] - (d * (float)b->q[i] - m);
        ss += w[i] * s * s;
        sm += w[i] * s * n;
        mm += w[i] * n * n;
        xs += w[i] * x[i] * s;
        xm += w[i] * x[i] * n;
        e += w[i] * off * off;
    }
    *error = e;
    /* x ~ d s - dmin n: two normal equations, or one where there are no minima. */
    float det = ss * mm - sm * sm;
    if (det > 1e-6f * ss * mm)
        return (sv_affine){ (xs * mm - xm * sm) / det, (xs * sm - xm * ss) / det };
    return (sv_affine){ ss > 0 && mm == 0 ? xs / ss : b->d, b->dmin };
}

static void fit_offset(offset *best, const float *x, const offset_kind *k)
{
    float w[BLOCK], top_d = 0, top_m = 0, least = FLT_MAX, error;
    sv_affine a[MAX_GROUPS];
    int n_groups = BLOCK / k->n_group;
    offset b;
    weigh(w, x);
    for (int g = 0; g < n_groups; g++) {
        a[g] = sv_fit_affine(x + k->n_group * g, w + k->n_group * g, k->n_group, k->hi, 1);
        top_d = fmaxf(top_d, a[g].d);
        top_m = fmaxf(top_m, -a[g].m);
    }
    memset(best, 0, sizeof *best);
    b.d = half_of(top_d / (float)k->top);
    b.dmin = half_of(top_m / (float)k->top);
    for (int round = 0; round < ROUNDS; round++) {
        for (int g = 0; g < n_groups; g++) {
            b.scale[g] = b.d > 0 ? clamp_round(a[g].d / b.d, 0, k->top) : 0;
            float m = sv_fit_min(x + k->n_group * g, w + k->n_group * g, k->n_group,
                                 b.d * (float)b.scale[g], a[g].m, k->hi);
            b.min[g] = b.dmin > 0 ? clamp_round(-m / b.dmin, 0, k->top) : 0;
        }
        sv_affine next = round_offset(&b, x, w, k, &error);
        if (error < least) {
            least = error;
            *best = b;
        }
        b.d = half_of(next.d);
        b.dmin = half_of(next.m);
        if (!(b.d > 0) || b.dmin < 0)
            break;
    }
}

/* Eight 6-bit scales and minima in 12 bytes. */
static void pack_scales(uint8_t s[12], const int *scale, const int *min)
{
    for (int g = 0; g < 4; g++) {
        s[g] = (uint8_t)(scale[g] | scale[g + 4] >> 4 << 6);
        s[g + 4] = (uint8_t)(min[g] | min[g + 4] >> 4 << 6);
        s[g + 8] = (uint8_t)((scale[g + 4] & 15) | (min[g + 4] & 15) << 4);
    }
}

/* The nibbles of Q4_K and Q5_K: two groups share 32 bytes. */
static void pack_nibbles(uint8_t out[128], const int q[BLOCK])
{
    for (int i = 0; i < 128; i++) {
        const int *pair = q + i / 32 * 64 + i % 32;
        out[i] = (uint8_t)((pair[0] & 15) | (pair[32] & 15) << 4);
    }
}

void sv_quantize_q4_k(uint8_t *out, const float *x)
{
    static const offset_kind kind = { 32, 15, 63 };
    offset b;
    fit_offset(&b, x, &kind);
    sv_put_half(out, b.d);
    sv_put_half(out + 2, b.dmin);
    pack_scales(out + 4, b.scale, b.min);
    pack_nibbles(out + 16, b.q);
}

void sv_quantize_q5_k(uint8_t *out, const float *x)
{
    static const offset_kind kind = { 32, 31, 63 };
    offset b;
    fit_offset(&b, x, &kind);
    sv_put_half(out, b.d);
    sv_put_half(out + 2, b.dmin);
    pack_scales(out + 4, b.scale, b.min);
    memset(out + 16, 0, 32);
    for (int i = 0; i < BLOCK; i++)
        out[16 + i % 32] |= (uint8_t)(b.q[i] >> 4 << i / 32);
    pack_nibbles(out + 48, b.q);
}

void sv_quantize_q2_k(uint8_t *out, const float *x)
{
    static const offset_kind kind = { 16, 3, 15 };
    offset b;
    fit_offset(&b, x, &kind);
    memset(out, 0, 80);
    for (int g = 0; g < 16; g++)
        out[g] = (uint8_t)(b.scale[g] | b.min[g] << 4);
    for (int i = 0; i < BLOCK; i++)
        out[16 + 32 * (i / 128) + i % 32] |= (uint8_t)(b.q[i] << 2 * (i % 128 / 32));
    sv_put_half(out + 80, b.d);
    sv_put_half(out + 82, b.dmin);
}
