/* SPDX-License-Identifier: MIT */
/* x86-64: CPUID says what the processor has, XCR0 which registers the operating
 * system saves; a set needs both. */
#include "simd/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

enum { EAX, EBX, ECX, EDX };

/* XCR0: SSE, AVX; and for 512 bits the mask registers, upper halves, upper sixteen. */
#define XCR0_AVX 0x06u
#define XCR0_AVX512 0xe6u

static uint32_t cpuid_bits(unsigned leaf, unsigned subleaf, int reg)
{
    uint32_t r[4];
    if (!__get_cpuid_count(leaf, subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
        return 0;
    return r[reg];
}

static int all_set(uint32_t bits, uint32_t wanted)
{
    return (bits & wanted) == wanted;
}

static int os_saves(uint32_t wanted)
{
    if (!(cpuid_bits(1, 0, ECX) & bit_OSXSAVE))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return all_set(low, wanted);
}

int sv_cpu_has_avx2(void)
{
    return os_saves(XCR0_AVX)
        && all_set(cpuid_bits(1, 0, ECX), bit_AVX | bit_FMA | bit_F16C)
        && all_set(cpuid_bits(7, 0, EBX), bit_AVX2 | bit_BMI2);
}

int sv_cpu_has_avx512(void)
{
    return sv_cpu_has_avx2() && os_saves(XCR0_AVX512)
        && all_set(cpuid_bits(7, 0, EBX),
                   bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ)
        && all_set(cpuid_bits(7, 0, ECX), bit_AVX512VNNI | bit_AVX512VBMI);
}

int sv_cpu_has_avx512_bf16(void)
{
    return sv_cpu_has_avx512() && all_set(cpuid_bits(7, 1, EAX), bit_AVX512BF16);
}

#else

int sv_cpu_has_avx2(void)        { return 0; }
int sv_cpu_has_avx512(void)      { return 0; }
int sv_cpu_has_avx512_bf16(void) { return 0; }

#endif
