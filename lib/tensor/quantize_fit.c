/* SPDX-License-Identifier: MIT */
/* Given the integers q, the best scale is a quotient of sums; given the scale, the best
 * q is the nearest. Neither step finds the best pair from a bad start, so many starts
 * near the scale that just covers the range are tried, and the best one is polished. */
#include "tensor/quantize_fit.h"

#include <float.h>
#include <math.h>

enum { LANES = 8, POLISH = 4 };

/* Candidates reach this far on both sides of the covering scale, in units of q. */
static const float reach = 1.0f, step = 0.2f;

/* To the nearest integer, ties to even, for |v| < 2^22: vectorises, unlike rintf. */
static inline float nearest(float v)
{
    return (v + 12582912.0f) - 12582912.0f;
}

static inline float clamp(float v, float lo, float hi)
{
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}

static float sum(const float v[LANES])
{
    return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

/* ---- scale only -------------------------------------------------------------- */

typedef struct scale_fit { float d, gain; } scale_fit;

/* Rounds with 1 / d = inverse and returns the best d for those q. gain: how much
 * of sum(w x^2) it explains. */
static scale_fit try_scale(const float *x, const float *w, int n, float inverse, float lo, float hi)
{
    float xq[LANES] = { 0 }, qq[LANES] = { 0 };
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float q = clamp(nearest(x[i + l] * inverse), lo, hi), wq = w[i + l] * q;
            xq[l] += wq * x[i + l];
            qq[l] += wq * q;
        }
    float a = sum(xq), b = sum(qq);
    return b > 0 ? (scale_fit){ a / b, a * a / b } : (scale_fit){ 0, 0 };
}

static float largest(const float *x, int n)
{
    float best = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(best))
            best = x[i];
    return best;
}

float sv_fit_scale(const float *x, const float *w, int n, int lo, int hi)
{
    float top = largest(x, n), flo = (float)lo, fhi = (float)hi;
    scale_fit best = { 0, 0 };
    if (fabsf(top) < FLT_MIN)
        return 0;
    for (float off = -reach; off <= reach; off += step) {
        scale_fit f = try_scale(x, w, n, (flo + off) / top, flo, fhi);
        if (f.gain > best.gain)
            best = f;
    }
    for (int i = 0; i < POLISH && best.d != 0; i++) {
        scale_fit f = try_scale(x, w, n, 1 / best.d, flo, fhi);
        if (f.gain <= best.gain)
            break;
        best = f;
    }
    return best.d;
}

/* ---- scale and minimum -------------------------------------------------------- */

typedef struct sums { float w, x, xx; } sums;

typedef struct affine_fit { sv_affine a; float error; } affine_fit;

/* Rounds with the given start and solves the two normal equations for d and m. */
static affine_fit try_affine(const float *x, const float *w, int n, const sums *s, float inverse,
                             float m, float hi, int m_below_zero)
{
    float vq[LANES] = { 0 }, vqq[LANES] = { 0 }, vxq[LANES] = { 0 };
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float q = clamp(nearest((x[i + l] - m) * inverse), 0, hi), wq = w[i + l] * q;
            vq[l] += wq;
            vqq[l] += wq * q;
            vxq[l] += wq * x[i + l];
        }
    float q = sum(vq), qq = sum(vqq), xq = sum(vxq), det = s->w * qq - q * q;
    sv_affine a = { 0, s->x / s->w };
    if (det > 0) {
        a.d = (s->w * xq - q * s->x) / det;
        a.m = (qq * s->x - q * xq) / det;
    }
    if (m_below_zero && a.m > 0) {
        a.m = 0;
        a.d = qq > 0 ? xq / qq : 0;
    }
    /* sum w (x - d q - m)^2, multiplied out */
    float error =
        s->xx + a.d * a.d * qq + a.m * a.m * s->w - 2 * (a.d * xq + a.m * s->x - a.d * a.m * q);
    return (affine_fit){ a, error };
}

sv_affine sv_fit_affine(const float *x, const float *w, int n, int hi, int m_below_zero)
{
    float low = x[0], high = x[0], fhi = (float)hi;
    sums s = { 0, 0, 0 };
    for (int i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        s.w += w[i];
        s.x += w[i] * x[i];
        s.xx += w[i] * x[i] * x[i];
    }
    if (m_below_zero && low > 0)
        low = 0;
    if (high - low < FLT_MIN)
        return (sv_affine){ 0, low };
    affine_fit best = { { 0, 0 }, FLT_MAX };
    for (float off = -reach; off <= reach; off += step) {
        affine_fit f = try_affine(x, w, n, &s, (fhi + off) / (high - low), low, fhi, m_below_zero);
        if (f.a.d > 0 && f.error < best.error)
            best = f;
    }
    for (int i = 0; i < POLISH && best.a.d > 0; i++) {
        affine_fit f = try_affine(x, w, n, &s, 1 / best.a.d, best.a.m, fhi, m_below_zero);
        if (!(f.a.d > 0) || f.error >= best.error)
            break;
        best = f;
    }
    return best.a;
}

float sv_fit_min(const float *x, const float *w, int n, float d, float m, int hi)
{
    int q[SV_FIT_MAX];
    float sw = 0, off = 0;
    sv_round_all(q, x, n, d, m, 0, hi);
    for (int i = 0; i < n; i++) {
        sw += w[i];
        off += w[i] * (x[i] - d * (float)q[i]);
    }
    return off / sw;
}

void sv_round_all(int *q, const float *x, int n, float d, float m, int lo, int hi)
{
    float inverse = d != 0 ? 1 / d : 0;
    if (!isfinite(inverse))       /* d is subnormal: what it scales is nothing */
        inverse = 0;
    for (int i = 0; i < n; i++)
        q[i] = (int)clamp(nearest(clamp((x[i] - m) * inverse, -4e6f, 4e6f)), (float)lo, (float)hi);
}
