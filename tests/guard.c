/* SPDX-License-Identifier: MIT */
/* Memory with a page that may not be touched behind it. */
#include "guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    char *start, *end;            /* end: where the forbidden page begins */
    size_t n_mapped;
};

guard *guard_new(size_t n_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (n_bytes + page - 1) / page * page;
    guard *g = malloc(sizeof *g);
    if (!g)
        abort();
    g->n_mapped = n + page;
    g->start = mmap(NULL, g->n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->start == MAP_FAILED || mprotect(g->start + n, page, PROT_NONE))
        abort();
    g->end = g->start + n;
    return g;
}

void guard_free(guard *g)
{
    munmap(g->start, g->n_mapped);
    free(g);
}

void *guard_end(guard *g, int n, size_t size)
{
    return g->end - (size_t)n * size;
}
