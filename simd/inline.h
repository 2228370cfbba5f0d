/* SPDX-License-Identifier: MIT */
/* What the shared bodies ask of the compiler: their constants are to be seen through. */
#ifndef SV_INLINE_H
#define SV_INLINE_H

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#define UNROLL(n) PRAGMA(GCC unroll n)

#endif
