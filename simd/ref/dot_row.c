/* SPDX-License-Identifier: MIT */
/* Rows of any type times floats, 256 values at a time: what dequant.c makes of them, summed
 * in double as in float.c. */
#include "simd/ref/ref.h"

enum { PIECE = 256 };

static float dot_row(void (*dequant)(float *, const void *, size_t), size_t piece_bytes,
                     const uint8_t *w, const float *x, size_t n)
{
    float v[PIECE];
    double sum = 0;
    while (n) {
        size_t count = n < PIECE ? n : PIECE;
        dequant(v, w, count);
        for (size_t i = 0; i < count; i++)
            sum += (double)v[i] * x[i];
        n -= count, x += count, w += piece_bytes;
    }
    return (float)sum;
}

/* M(name, GGUF type, bytes of 256 values) */
#define TYPES(M)                                                                               \
    M(f32, 0, 1024) M(f16, 1, 512) M(q4_0, 2, 144) M(q4_1, 3, 160) M(q5_0, 6, 176)             \
    M(q5_1, 7, 192) M(q8_0, 8, 272) M(q2_k, 10, 84) M(q3_k, 11, 110) M(q4_k, 12, 144)          \
    M(q5_k, 13, 176) M(q6_k, 14, 210) M(iq4_nl, 20, 144) M(bf16, 30, 512)
#define DOT_ROW(name, type, bytes)                                                             \
    static float dot_##name(const void *w, const float *x, size_t n)                           \
    {                                                                                          \
        return dot_row(sv_dequant_##name##_ref, bytes, w, x, n);                               \
    }
TYPES(DOT_ROW)

void sv_dot_row_fill_ref(sv_kernels *k)
{
#define FILL(name, type, bytes) k->dot_row[type] = dot_##name;
    TYPES(FILL)
}
