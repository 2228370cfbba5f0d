/* SPDX-License-Identifier: MIT */
/* Failure: one status for the program, one sentence for the user. */
#ifndef SV_STATUS_H
#define SV_STATUS_H

#include <sparsevlm/types.h>

#if defined(__GNUC__)
#define SV_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define SV_PRINTF(fmt, first)
#endif

/* Fills *err (may be NULL) and returns status. Control characters and broken
 * UTF-8 in the finished sentence are escaped as \xNN; a long one is cut. */
svlm_status sv_fail(svlm_error *err, svlm_status status, const char *fmt, ...) SV_PRINTF(3, 4);

/* The same escaping for names that come from files: out holds cap > 0 bytes. */
void sv_escape(char *out, size_t cap, const char *in);

#endif
