/* SPDX-License-Identifier: MIT */
/* Rotary positions. Angles are products of two floats, as in the models' own code:
 * rounding them differently would show at large positions. */
#include "tensor/rope.h"

#include <math.h>

#include "base/threads.h"

void sv_rope_frequencies(float *frequency, int head_dim, float base, const float *divisor)
{
    for (int i = 0; i < head_dim / 2; i++) {
        frequency[i] = (float)pow(base, -2.0 * i / head_dim);
        if (divisor)
            frequency[i] /= divisor[i];
    }
}

void sv_rope_table(float *cos, float *sin, const float *frequency, int n_pairs, float scale,
                   const int32_t *position, int n_rows)
{
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < n_pairs; i++) {
            float angle = (float)position[r] / scale * frequency[i];
            cos[(size_t)r * n_pairs + i] = cosf(angle);
            sin[(size_t)r * n_pairs + i] = sinf(angle);
        }
}

#define CHUNK 16                  /* rows in a task */

typedef struct job {
    const sv_kernels *k;
    float *x;
    size_t stride;
    int n_rows, n_heads, n_pairs;
    const float *cos, *sin;
} job;

static void turn(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    int end = task * CHUNK + CHUNK < j->n_rows ? task * CHUNK + CHUNK : j->n_rows;
    for (int r = task * CHUNK; r < end; r++)
        for (int h = 0; h < j->n_heads; h++)
            j->k->rope(j->x + (size_t)r * j->stride + (size_t)h * 2 * j->n_pairs,
                       j->cos + (size_t)r * j->n_pairs, j->sin + (size_t)r * j->n_pairs,
                       j->n_pairs);
}

void sv_rope_rows(const sv_mm *mm, float *x, size_t stride, int n_rows, int n_heads,
                  const float *cos, const float *sin, int n_pairs)
{
    job j = { mm->k, x, stride, n_rows, n_heads, n_pairs, cos, sin };
    sv_parallel(mm->n_threads, (n_rows + CHUNK - 1) / CHUNK, turn, &j);
}
