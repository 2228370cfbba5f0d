/* SPDX-License-Identifier: MIT */
/* AArch64: the kernel's hardware capability words already say what processor and
 * operating system can do together. */
#include "simd/cpu.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* Bits of AT_HWCAP and AT_HWCAP2; older system headers lack some of the names. */
#define CAP_ASIMD   (1ul << 1)
#define CAP_ASIMDHP (1ul << 10)
#define CAP_ASIMDDP (1ul << 20)
#define CAP2_I8MM   (1ul << 13)

static int hwcap_has(unsigned long wanted)
{
    return (getauxval(AT_HWCAP) & wanted) == wanted;
}

int sv_cpu_has_neon(void)
{
    return hwcap_has(CAP_ASIMD);
}

int sv_cpu_has_neon_dotprod(void)
{
    return hwcap_has(CAP_ASIMD | CAP_ASIMDHP | CAP_ASIMDDP);
}

int sv_cpu_has_neon_i8mm(void)
{
    return sv_cpu_has_neon_dotprod() && (getauxval(AT_HWCAP2) & CAP2_I8MM);
}

#else

/* NEON itself is part of AArch64; what lies beyond it we cannot ask for here. */
int sv_cpu_has_neon(void)
{
#if defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

int sv_cpu_has_neon_dotprod(void) { return 0; }
int sv_cpu_has_neon_i8mm(void)    { return 0; }

#endif
