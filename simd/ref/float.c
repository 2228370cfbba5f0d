/* SPDX-License-Identifier: MIT */
/* Vectors of floats. Sums run in double: this is the definition that the faster
 * sets, which sum in floats in an order of their own, are measured against. */
#include <math.h>

#include "simd/half.h"
#include "simd/ref/ref.h"

float sv_dot_f32_ref(const float *x, const float *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return (float)sum;
}

float sv_dot_f16_ref(const uint16_t *x, const float *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)sv_half_to_float(x[i]) * y[i];
    return (float)sum;
}

void sv_axpy_f32_ref(float *y, float a, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += a * x[i];
}

void sv_axpy_f16_ref(float *y, float a, const uint16_t *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += a * sv_half_to_float(x[i]);
}

void sv_add_f32_ref(float *y, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += x[i];
}

void sv_scale_f32_ref(float *y, float a, int n)
{
    for (int i = 0; i < n; i++)
        y[i] *= a;
}

void sv_rms_norm_ref(float *y, const float *x, const float *w, int n, float eps)
{
    double square = 0;
    for (int i = 0; i < n; i++)
        square += (double)x[i] * x[i];
    float scale = (float)(1.0 / sqrt(square / n + eps));
    for (int i = 0; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

void sv_layer_norm_ref(float *y, const float *x, const float *w, const float *b, int n, float eps)
{
    double sum = 0, square = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    double scale = 1.0 / sqrt(square / n + eps);
    for (int i = 0; i < n; i++)
        y[i] = (float)((x[i] - mean) * scale) * w[i] + b[i];
}

void sv_softmax_ref(float *x, int n)
{
    float max = -INFINITY;
    for (int i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        x[i] = x[i] == -INFINITY ? 0 : expf(x[i] - max);    /* only NaN: max is -INFINITY */
        sum += x[i];
    }
    float scale = sum > 0 ? (float)(1.0 / sum) : 0;
    for (int i = 0; i < n; i++)
        x[i] *= scale;
}

void sv_silu_mul_ref(float *y, const float *gate, const float *up, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

void sv_gelu_ref(float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752f));
}

void sv_gelu_quick_ref(float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + expf(-1.702f * x[i]));
}

void sv_rope_ref(float *x, const float *cos, const float *sin, int n_pairs)
{
    for (int i = 0; i < n_pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cos[i] - b * sin[i];
        x[2 * i + 1] = a * sin[i] + b * cos[i];
    }
}
