/* SPDX-License-Identifier: MIT */
/* What one core can do at most, measured with nothing but dot products. */
#ifndef SV_PEAK_H
#define SV_PEAK_H

/* 10^9 multiplications and additions of bytes a second by the instruction the kernel set
 * uses; 0: none is known for it. */
double peak_gops(const char *isa);
/* CPU seconds of this thread: what else the machine does counts little. */
double peak_seconds(void);

#endif
