/* SPDX-License-Identifier: MIT */
/* Public structs by size: programs compiled against an older or newer header
 * than the library still agree with it about every field both know. */
#ifndef SV_OPTIONS_H
#define SV_OPTIONS_H

#include "base/status.h"

/* Copies a caller's options struct, whose first member is its size_t size, to ours of
 * n_bytes; fields the caller's header did not have become 0. NULL src: all 0. ARG,
 * naming what, when size is absurd or a field that we do not know is not 0. */
svlm_status sv_options_read(void *dst, size_t n_bytes, const void *src, const char *what,
                            svlm_error *err);

/* The other direction: fills the caller's result struct, as far as its size says, from
 * ours; fields we do not know become 0. ARG when dst is NULL or its size absurd. */
svlm_status sv_result_write(void *dst, const void *src, size_t n_bytes);

#endif
