/* SPDX-License-Identifier: MIT */
/* Repeatable random numbers: SplitMix64 (Steele, Lea, Flood 2014). */
#include "base/rng.h"

#include <math.h>

uint64_t sv_rng_next(sv_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double sv_rng_uniform(sv_rng *r)
{
    return (double)(sv_rng_next(r) >> 11) * 0x1p-53;
}

uint32_t sv_rng_below(sv_rng *r, uint32_t n)
{
    uint64_t reject = UINT64_MAX - UINT64_MAX % n;      /* a multiple of n */
    uint64_t x;
    do
        x = sv_rng_next(r);
    while (x >= reject);
    return (uint32_t)(x % n);
}

/* Box and Muller's; the second value is thrown away to keep no state. */
double sv_rng_normal(sv_rng *r)
{
    double u = 1.0 - sv_rng_uniform(r), v = sv_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
