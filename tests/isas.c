/* SPDX-License-Identifier: MIT */
/* Prints the rungs this machine can run, weakest first. */
#include <stdio.h>

#include "simd/kernels.h"

int main(void)
{
    for (int i = 0; sv_isa_name(i); i++)
        if (sv_cpu_can(sv_isa_name(i)))
            puts(sv_isa_name(i));
    return 0;
}
