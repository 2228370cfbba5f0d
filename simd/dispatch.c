/* SPDX-License-Identifier: MIT */
/* Climbs the ladder of kernel sets once. SPARSEVLM_ISA caps it: "c", "avx2", ...;
 * a name that is no rung of this build caps nothing. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "simd/cpu.h"
#include "simd/sets.h"

typedef struct rung {
    const char *isa;
    void (*fill)(sv_kernels *k);
    int (*can_run)(void);
} rung;

static int always(void)
{
    return 1;
}

/* Weakest first; each builds on all before it. */
static const rung ladder[] = {
    { "c", sv_kernels_fill_ref, always },
#ifdef SV_BUILD_AVX2
    { "avx2", sv_kernels_fill_avx2, sv_cpu_has_avx2 },
#endif
#ifdef SV_BUILD_AVX512
    { "avx512", sv_kernels_fill_avx512, sv_cpu_has_avx512 },
#endif
#ifdef SV_BUILD_AVX512_BF16
    { "avx512_bf16", sv_kernels_fill_avx512_bf16, sv_cpu_has_avx512_bf16 },
#endif
#ifdef SV_BUILD_NEON
    { "neon", sv_kernels_fill_neon, sv_cpu_has_neon },
#endif
#ifdef SV_BUILD_NEON_DOTPROD
    { "neon_dotprod", sv_kernels_fill_neon_dotprod, sv_cpu_has_neon_dotprod },
#endif
#ifdef SV_BUILD_NEON_I8MM
    { "neon_i8mm", sv_kernels_fill_neon_i8mm, sv_cpu_has_neon_i8mm },
#endif
};

enum { N_RUNGS = sizeof ladder / sizeof ladder[0] };

static sv_kernels tables[N_RUNGS];
static int n_runnable, chosen;
static pthread_once_t climbed = PTHREAD_ONCE_INIT;

static int find(const char *isa)
{
    for (int i = 0; i < N_RUNGS; i++)
        if (!strcmp(isa, ladder[i].isa))
            return i;
    return -1;
}

static void climb(void)
{
    while (n_runnable < N_RUNGS && ladder[n_runnable].can_run()) {
        sv_kernels *k = &tables[n_runnable];
        if (n_runnable > 0)
            *k = tables[n_runnable - 1];
        ladder[n_runnable].fill(k);
        k->isa = ladder[n_runnable++].isa;
    }
    chosen = n_runnable - 1;
    const char *cap = getenv("SPARSEVLM_ISA");
    int capped = cap ? find(cap) : -1;
    if (capped >= 0 && capped < chosen)
        chosen = capped;
}

const sv_kernels *sv_kernels_get(void)
{
    pthread_once(&climbed, climb);
    return &tables[chosen];
}

const sv_kernels *sv_kernels_for(const char *isa)
{
    pthread_once(&climbed, climb);
    int i = find(isa);
    return i >= 0 && i < n_runnable ? &tables[i] : NULL;
}

int sv_cpu_can(const char *isa)
{
    return sv_kernels_for(isa) != NULL;
}

const char *sv_isa_name(int i)
{
    return i >= 0 && i < N_RUNGS ? ladder[i].isa : NULL;
}
