/* SPDX-License-Identifier: MIT */
/* Allocations that fail, one after the other: what every test of "no memory" needs. */
#ifndef SV_FAULTS_H
#define SV_FAULTS_H

#include "base/alloc.h"

static struct { int left, goes_on; } faults;

static inline int fault_strikes(sv_mem kind, size_t n_bytes)
{
    (void)kind;
    (void)n_bytes;
    int strikes = faults.left == 0 || (faults.left < 0 && faults.goes_on);
    faults.left -= faults.left >= 0;
    return strikes;
}

/* Allocation n from now on fails, counted from 0, and no other. */
static inline void fault_at(int n)
{
    faults.left = n;
    faults.goes_on = 0;
    sv_alloc_fault = fault_strikes;
}

/* That one and all after it. */
static inline void fault_from(int n)
{
    fault_at(n);
    faults.goes_on = 1;
}

/* None fails any more. 1: one did. */
static inline int fault_end(void)
{
    sv_alloc_fault = NULL;
    return faults.left < 0;
}

#endif
