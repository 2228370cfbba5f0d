/* SPDX-License-Identifier: MIT */
/* What processor and operating system can run together, one question a set. */
#ifndef SV_CPU_H
#define SV_CPU_H

int sv_cpu_has_avx2(void);        /* with FMA, F16C and BMI2              */
int sv_cpu_has_avx512(void);      /* F, BW, VL, DQ, VNNI and VBMI         */
int sv_cpu_has_avx512_bf16(void);
int sv_cpu_has_neon(void);
int sv_cpu_has_neon_dotprod(void);/* with half precision arithmetic       */
int sv_cpu_has_neon_i8mm(void);

#endif
