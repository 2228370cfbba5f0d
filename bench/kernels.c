/* SPDX-License-Identifier: MIT */
/* How fast quantised weights are on one core: bench/kernels [ISA]
 *
 * For each type: a row to floats and times floats, the inner kernel of integer products alone and its share of
 * the peak, the product of a 4096 x 4096 matrix with unpacking against the number of tokens,
 * and one token over a matrix that no cache holds, from the file's rows, from panels and on the
 * precise path. Times are the thread's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/type.h"
#include "peak.h"
#include "tensor/matmul_float.h"
#include "tensor/matmul_quant.h"

enum { K = 4096, ROWS = 4096, MANY_ROWS = 65536, MAX_TOKENS = 700, REPEATS = 5 };

static const sv_kernels *k;
static double peak;
static sv_qtoken *act;
static float *y;
static void *scratch;

static void *need(size_t n_bytes)
{
    void *p = sv_calloc(SV_MEM_TEMP, 1, n_bytes);
    if (!p) {
        fprintf(stderr, "bench/kernels: no memory for %zu bytes\n", n_bytes);
        exit(1);
    }
    return p;
}

/* Least seconds of a few runs. */
static double least(void (*run)(const void *), const void *arg)
{
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        double t = peak_seconds();
        run(arg);
        t = peak_seconds() - t;
        best = t < best ? t : best;
    }
    return best;
}

typedef struct work {
    const sv_weight *w;
    const sv_slab *slab;
    int n;
} work;

enum { INNER = 200, SLABS = 32 };

static void run_inner(const void *arg)
{
    const work *j = arg;
    const sv_block_shape *s = &sv_block_shapes[j->w->type];
    for (int i = 0; i < INNER; i++)
        k->gemm_quant[s->form](y, SV_PANEL_ROWS, j->slab, act, j->n, SV_PANEL_ROWS, SLABS, s->zero, 0);
}

static void run_product(const void *arg)
{
    const work *j = arg;
    const sv_product p = { y, j->w, NULL };
    for (int i = 0; i < sv_quant_tasks(j->w, j->n); i++)
        sv_quant_task(k, &p, act, j->n, i, scratch);
}

static void run_dequant(const void *arg)
{
    const work *j = arg;
    for (int i = 0; i < INNER; i++)
        k->dequant[j->w->type](y, j->w->data, K);
}

static void run_dot_row(const void *arg)
{
    const work *j = arg;
    for (int i = 0; i < INNER; i++)
        y[i] = k->dot_row[j->w->type](j->w->data, y + INNER, K);
}

/* One row of blocks, from and to the caches next to the core. */
static void floats(const sv_weight *w)
{
    const work j = { w, NULL, 1 };
    printf("%-8s to floats      %6.1f values/ns", sv_type_get(w->type)->name,
           1e-9 * INNER * K / least(run_dequant, &j));
    printf(", times floats %.1f\n", 1e-9 * INNER * K / least(run_dot_row, &j));
}

static void run_precise(const void *arg)
{
    const work *j = arg;
    const sv_product p = { y + K, j->w, NULL };
    for (int i = 0; i < sv_float_tasks(j->w, 1); i++)
        sv_float_task(k, &p, y, 1, i, scratch);
}

static void inner_kernel(const sv_weight *w)
{
    sv_slab *slab = need(SLABS * sizeof *slab);
    uint8_t *packed = need(sv_packed_bytes(&sv_block_shapes[w->type], SLABS * SV_DEPTH));
    const sv_block_shape *s = &sv_block_shapes[w->type];
    k->pack(packed, w->data, w->row_bytes, SV_PANEL_ROWS, SLABS / s->slabs, s);
    k->expand[w->type](slab, packed, SLABS / s->slabs);
    const work j = { w, slab, SV_GROUP };
    double ops = 2.0 * SV_GROUP * SV_PANEL_ROWS * SLABS * SV_DEPTH * INNER;
    double gops = ops / least(run_inner, &j) * 1e-9;
    printf("%-8s inner kernel   %6.1f GOP/s", sv_type_get(w->type)->name, gops);
    if (peak > 0)
        printf("  %4.1f %% of the peak", 100 * gops / peak);
    printf("\n");
    sv_free(slab);
    sv_free(packed);
}

static void against_tokens(const sv_weight *w)
{
    static const int counts[] = { 1, 2, 4, 8, 16, 32, 64, 120, 192, 256, 400, 640, MAX_TOKENS };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const work j = { w, NULL, counts[i] };
        double ops = 2.0 * counts[i] * K * ROWS;
        printf("%-8s %3d tokens     %6.1f GOP/s\n", sv_type_get(w->type)->name, counts[i],
               ops / least(run_product, &j) * 1e-9);
    }
}

static void one_token(sv_weight w)
{
    size_t n_bytes = (size_t)MANY_ROWS * w.row_bytes;
    uint8_t *large = sv_block_new(SV_MEM_TEMP, n_bytes, 1);
    if (!large) {
        fprintf(stderr, "bench/kernels: no memory for %zu bytes\n", n_bytes);
        exit(1);
    }
    for (size_t at = 0; at < n_bytes; at += ROWS * w.row_bytes)
        memcpy(large + at, w.data, ROWS * w.row_bytes);
    w.data = large;
    w.n_out = MANY_ROWS;
    const work j = { &w, NULL, 1 };
    printf("%-8s 1 token        %6.1f GB/s from rows", sv_type_get(w.type)->name,
           (double)n_bytes / least(run_product, &j) * 1e-9);
    printf(", %.1f precise", (double)n_bytes / least(run_precise, &j) * 1e-9);
    w.packed = large;                     /* any bytes will do: these are as many */
    printf(", %.1f GB/s from panels\n", (double)n_bytes / least(run_product, &j) * 1e-9);
    sv_block_free(large, n_bytes);
}

/* Random bytes with halves of about 2^-7. */
static void fill(uint8_t *data, sv_type type, size_t n_blocks)
{
    const sv_type_info *t = sv_type_get(type);
    const sv_block_shape *s = &sv_block_shapes[type];
    sv_rng rng = { 1 };
    for (size_t b = 0; b < n_blocks; b++, data += t->block_bytes) {
        for (int i = 0; i < t->block_bytes; i++)
            data[i] = (uint8_t)sv_rng_next(&rng);
        for (int h = 0; h < s->front + s->back; h++)
            data[2 * h + (h < s->front ? 0 : 4 * s->words) + 1] = 0x20;
    }
}

static void bench_type(sv_type type)
{
    size_t row_bytes = sv_type_bytes(type, K);
    uint8_t *data = need(ROWS * row_bytes);
    const sv_weight w = { data, type, K, ROWS, row_bytes, NULL };
    fill(data, type, ROWS * row_bytes / (size_t)sv_type_get(type)->block_bytes);
    floats(&w);
    inner_kernel(&w);
    against_tokens(&w);
    one_token(w);
    sv_free(data);
}

static void random_activations(void)
{
    float *x = need((size_t)MAX_TOKENS * K * sizeof *x);
    sv_rng rng = { 2 };
    for (size_t i = 0; i < (size_t)MAX_TOKENS * K; i++)
        x[i] = (float)sv_rng_normal(&rng);
    for (int g = 0; g < sv_quant_groups(MAX_TOKENS); g++)
        sv_quant_act(k, act, x, MAX_TOKENS, K, g);
    sv_free(x);
}

int main(int argc, char **argv)
{
    static const sv_type types[] = { SV_Q4_0, SV_Q8_0, SV_Q4_K, SV_Q5_K, SV_Q6_K };
    k = argc > 1 ? sv_kernels_for(argv[1]) : sv_kernels_get();
    if (!k) {
        fprintf(stderr, "bench/kernels: this machine or build has no kernel set %s\n", argv[1]);
        return 2;
    }
    peak = peak_gops(k->isa);
    printf("kernel set %s, one core, peak of its dot product %.0f GOP/s\n", k->isa, peak);
    act = need(sv_quant_act_bytes(MAX_TOKENS, K));
    y = need((size_t)MAX_TOKENS * MANY_ROWS / 8 * sizeof *y);
    scratch = need(sv_quant_scratch() + sv_float_scratch() * sizeof(float));
    random_activations();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        bench_type(types[i]);
    sv_free(act);
    sv_free(y);
    sv_free(scratch);
    return 0;
}
