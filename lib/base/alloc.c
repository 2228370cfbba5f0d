/* SPDX-License-Identifier: MIT */
/* All memory of the library. Each block has a header that holds its size. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64 };              /* a cache line, and an AVX-512 vector */

typedef struct head { size_t n_bytes; } head;

int (*sv_alloc_fault)(sv_mem kind, size_t n_bytes);
static atomic_size_t n_made, n_alive;

static int refused(sv_mem kind, size_t n_bytes)
{
    atomic_fetch_add(&n_made, 1);
    return sv_alloc_fault && sv_alloc_fault(kind, n_bytes);
}

/* n * size plus the header, rounded up; 0 when that does not fit. */
static size_t gross(size_t n, size_t size)
{
    if (size && n > (SIZE_MAX - 2 * ALIGN) / size)
        return 0;
    return (n * size + 2 * ALIGN - 1) / ALIGN * ALIGN;
}

static head *head_of(void *p)
{
    return (head *)((char *)p - ALIGN);
}

void *sv_malloc(sv_mem kind, size_t n, size_t size)
{
    size_t n_bytes = gross(n, size);
    if (!n_bytes || refused(kind, n_bytes))
        return NULL;
    char *block = aligned_alloc(ALIGN, n_bytes);
    if (!block)
        return NULL;
    ((head *)block)->n_bytes = n_bytes;
    atomic_fetch_add(&n_alive, n_bytes);
    return block + ALIGN;
}

void *sv_calloc(sv_mem kind, size_t n, size_t size)
{
    void *p = sv_malloc(kind, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

void *sv_realloc(sv_mem kind, void *p, size_t n, size_t size)
{
    void *q = sv_malloc(kind, n, size);
    if (q && p) {
        size_t had = head_of(p)->n_bytes - ALIGN, want = n * size;
        memcpy(q, p, had < want ? had : want);
        sv_free(p);
    }
    return q;
}

void sv_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub(&n_alive, head_of(p)->n_bytes);
    free(head_of(p));
}

char *sv_strdup(sv_mem kind, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = sv_malloc(kind, n, 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

void *sv_block_new(sv_mem kind, size_t n_bytes, int huge)
{
    if (!n_bytes || refused(kind, n_bytes))
        return NULL;
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(p, n_bytes, MADV_HUGEPAGE);     /* a wish: failure changes nothing */
#else
    (void)huge;
#endif
    atomic_fetch_add(&n_alive, n_bytes);
    return p;
}

void sv_block_free(void *p, size_t n_bytes)
{
    if (!p)
        return;
    munmap(p, n_bytes);
    atomic_fetch_sub(&n_alive, n_bytes);
}

size_t sv_alloc_count(void)
{
    return atomic_load(&n_made);
}

size_t sv_alloc_alive(void)
{
    return atomic_load(&n_alive);
}
