/* SPDX-License-Identifier: MIT */
/* The search for scales that every block type shares. n is 16 or 32. */
#ifndef SV_QUANTIZE_FIT_H
#define SV_QUANTIZE_FIT_H

enum { SV_FIT_MAX = 32 };

/* d for x ~ d q with integers q in lo..hi: the least sum of w (x - d q)^2. d may be
 * negative: the larger end of lo..hi then faces the largest value. */
float sv_fit_scale(const float *x, const float *w, int n, int lo, int hi);

typedef struct sv_affine { float d, m; } sv_affine;

/* d >= 0 and m for x ~ d q + m, q in 0..hi; m <= 0 if wanted. */
sv_affine sv_fit_affine(const float *x, const float *w, int n, int hi, int m_below_zero);

/* The best m for a given d, from one that is near. */
float sv_fit_min(const float *x, const float *w, int n, float d, float m, int hi);

/* q = the integer in lo..hi nearest to (x - m) / d; lo..hi nearest to 0 where d is 0. */
void sv_round_all(int *q, const float *x, int n, float d, float m, int lo, int hi);

#endif
