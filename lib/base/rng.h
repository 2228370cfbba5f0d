/* SPDX-License-Identifier: MIT */
/* Repeatable random numbers (SplitMix64), the same on every machine. */
#ifndef SV_RNG_H
#define SV_RNG_H

#include <stdint.h>

typedef struct sv_rng { uint64_t state; } sv_rng;

uint64_t sv_rng_next(sv_rng *r);
double sv_rng_uniform(sv_rng *r);               /* [0, 1)            */
uint32_t sv_rng_below(sv_rng *r, uint32_t n);   /* 0..n-1, unbiased  */
double sv_rng_normal(sv_rng *r);                /* mean 0, deviation 1 */

#endif
