/* SPDX-License-Identifier: MIT */
/* Memory laid out by a function that runs twice. */
#include "base/arena.h"

#include <stdint.h>

void *sv_take(sv_arena *a, size_t n, size_t size)
{
    if (a->overflow || (size && n > (SIZE_MAX - 63 - a->used) / size)) {
        a->overflow = 1;
        return NULL;
    }
    size_t at = a->used;
    a->used += (n * size + 63) / 64 * 64;
    if (!a->base)
        return NULL;
    if (a->used > a->size) {
        a->overflow = 1;
        return NULL;
    }
    return a->base + at;
}
