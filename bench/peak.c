/* SPDX-License-Identifier: MIT */
/* Twelve independent chains of dot products, timed. */
#include "peak.h"

#include <string.h>
#include <time.h>

double peak_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define TWELVE(one) \
    one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11)

enum { CHAINS = 12, ROUNDS = 1000000 };

#if defined(__x86_64__)
#define VNNI(i) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #i "\n\t"
#define PAIRS(i) "vpmaddubsw %%ymm14, %%ymm15, %%ymm" #i "\n\t"
#define CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
    "xmm10", "xmm11"

/* ROUNDS of all chains; returns the bytes an instruction multiplies. */
static int run_chains(const char *isa)
{
    if (!strncmp(isa, "avx512", 6)) {
        for (int i = 0; i < ROUNDS; i++)
            __asm__ volatile(TWELVE(VNNI) ::: CLOBBERS);
        return 64;
    }
    if (!strcmp(isa, "avx2")) {
        for (int i = 0; i < ROUNDS; i++)
            __asm__ volatile(TWELVE(PAIRS) ::: CLOBBERS);
        return 32;
    }
    return 0;
}
#elif defined(__aarch64__)
#define SDOT(i) ".arch armv8.2-a+dotprod\n\tsdot v" #i ".4s, v14.16b, v15.16b\n\t"
#define SMULL(i) "smull v" #i ".8h, v14.8b, v15.8b\n\t"
#define CLOBBERS "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11"

static int run_chains(const char *isa)
{
    if (!strcmp(isa, "neon_dotprod")) {
        for (int i = 0; i < ROUNDS; i++)
            __asm__ volatile(TWELVE(SDOT) ::: CLOBBERS);
        return 16;
    }
    if (!strcmp(isa, "neon")) {
        for (int i = 0; i < ROUNDS; i++)
            __asm__ volatile(TWELVE(SMULL) ::: CLOBBERS);
        return 8;
    }
    return 0;
}
#else
static int run_chains(const char *isa)
{
    (void)isa;
    return 0;
}
#endif

double peak_gops(const char *isa)
{
    double best = 0;
    for (int try = 0; try < 5; try++) {
        double t = peak_seconds();
        int n_bytes = run_chains(isa);
        double gops = 2.0 * n_bytes * CHAINS * ROUNDS / (peak_seconds() - t) * 1e-9;
        best = gops > best ? gops : best;
    }
    return best;
}
