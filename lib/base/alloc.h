/* SPDX-License-Identifier: MIT */
/* All memory of the library comes from here: sizes are multiplied safely, tests
 * can make the n-th allocation fail and count what is alive. */
#ifndef SV_ALLOC_H
#define SV_ALLOC_H

#include <stddef.h>

typedef enum sv_mem {
    SV_MEM_MODEL, SV_MEM_IMAGE, SV_MEM_FEATURES, SV_MEM_CHAT, SV_MEM_HOOK, SV_MEM_TEMP, SV_MEM_KINDS
} sv_mem;

/* 64-byte aligned memory for n things of size bytes, or NULL. n * size == 0
 * gives a unique pointer. sv_calloc clears it. */
void *sv_malloc(sv_mem kind, size_t n, size_t size);
void *sv_calloc(sv_mem kind, size_t n, size_t size);
/* As realloc: on failure NULL, and p is still there. */
void *sv_realloc(sv_mem kind, void *p, size_t n, size_t size);
void sv_free(void *p);
char *sv_strdup(sv_mem kind, const char *s);

/* A large zeroed block straight from the system, page aligned; pages cost memory
 * only once touched. huge asks for large pages where the system has them. */
void *sv_block_new(sv_mem kind, size_t n_bytes, int huge);
void sv_block_free(void *p, size_t n_bytes);

/* For tests: called before each allocation, non-zero makes it fail. */
extern int (*sv_alloc_fault)(sv_mem kind, size_t n_bytes);
/* Allocations ever made, and bytes alive now (of all kinds). */
size_t sv_alloc_count(void);
size_t sv_alloc_alive(void);

#endif
