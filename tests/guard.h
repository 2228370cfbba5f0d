/* SPDX-License-Identifier: MIT */
/* Memory with a page that may not be touched behind it. */
#ifndef SV_GUARD_H
#define SV_GUARD_H

#include <stddef.h>

typedef struct guard guard;

guard *guard_new(size_t n_bytes);
void guard_free(guard *g);
/* n things of size bytes, the last of which ends where the page begins. */
void *guard_end(guard *g, int n, size_t size);

#endif
