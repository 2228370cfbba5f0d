/* SPDX-License-Identifier: MIT */
/* Memory laid out by a function that runs twice: without a base to learn the
 * size, then with one, so size and pointers cannot disagree. */
#ifndef SV_ARENA_H
#define SV_ARENA_H

#include <stddef.h>

typedef struct sv_arena {
    unsigned char *base;          /* NULL while measuring                  */
    size_t used;                  /* multiple of 64                        */
    size_t size;                  /* of base                               */
    int overflow;                 /* a size did not fit size_t, or size    */
} sv_arena;

/* The next 64-byte aligned n * size bytes; NULL while measuring or after an
 * overflow. */
void *sv_take(sv_arena *a, size_t n, size_t size);

#endif
