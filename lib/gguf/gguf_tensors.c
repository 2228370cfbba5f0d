/* SPDX-License-Identifier: MIT */
/* The tensor table: every entry checked on its own, then all against each other. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "gguf/gguf_read.h"

enum { MAX_NAME = 63, NAME_STRIDE = MAX_NAME + 1 };     /* as the reference */
/* Page sizes are at most 64 kB; a larger alignment only inflates files. */
enum { DEFAULT_ALIGNMENT = 32, MIN_ALIGNMENT = 8, MAX_ALIGNMENT = 1 << 16 };

static svlm_status read_alignment(const sv_gguf *g, uint32_t *alignment, svlm_error *err)
{
    svlm_status st;
    *alignment = DEFAULT_ALIGNMENT;
    if ((st = sv_gguf_opt_u32(g, "general.alignment", alignment, err)))
        return st;
    uint32_t a = *alignment;
    if (a < MIN_ALIGNMENT || a > MAX_ALIGNMENT || (a & (a - 1)))
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: key general.alignment is %" PRIu32 ", not a power of two from %d to %d",
                       g->map->path, a, MIN_ALIGNMENT, MAX_ALIGNMENT);
    return SVLM_OK;
}

static svlm_status read_name(const sv_gguf *g, sv_cursor *r, char *out, size_t i, svlm_error *err)
{
    const char *path = g->map->path;
    sv_span s = sv_read_string(r);
    if (r->bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the name of tensor %zu", path,
                       i);
    if (s.n == 0 || s.n > MAX_NAME)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: the name of tensor %zu has %zu bytes, not 1 to %d", path, i, s.n,
                       MAX_NAME);
    if (memchr(s.p, 0, s.n))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the name of tensor %zu contains a zero byte",
                       path, i);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return SVLM_OK;
}

/* *n_values enters as 1. */
static svlm_status read_dims(const sv_gguf *g, sv_cursor *r, sv_gguf_tensor *t, uint64_t *n_values,
                             svlm_error *err)
{
    const char *path = g->map->path;
    uint32_t n = sv_read_u32(r);
    if (!r->bad && (n < 1 || n > 4))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s has %" PRIu32 " dimensions, not 1 to 4",
                       path, t->name, n);
    t->n_dims = (int)n;
    for (int i = 0; i < 4; i++) {
        t->dim[i] = i < t->n_dims ? sv_read_u64(r) : 1;
        if (r->bad)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the sizes of tensor %s",
                           path, t->name);
        if (t->dim[i] < 1 || t->dim[i] > (uint64_t)INT64_MAX / *n_values)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s: dimension %d is %" PRIu64
                           ", zero or too large", path, t->name, i, t->dim[i]);
        *n_values *= t->dim[i];
    }
    return SVLM_OK;
}

static svlm_status read_type(const sv_gguf *g, sv_cursor *r, sv_gguf_tensor *t, uint64_t n_values,
                             svlm_error *err)
{
    const char *path = g->map->path;
    uint32_t type = sv_read_u32(r);
    const sv_type_info *info = sv_type_get(type);
    if (!r->bad && !info)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: tensor %s: %s", path, t->name,
                       sv_type_refusal(type));
    if (r->bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the type of tensor %s", path,
                       t->name);
    if (t->dim[0] % (uint64_t)info->block)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s: rows of %" PRIu64
                       " values are no multiple of the %d of a %s block", path, t->name, t->dim[0],
                       info->block, info->name);
    uint64_t n_blocks = n_values / (uint64_t)info->block;
    if (n_blocks > g->map->size / (uint64_t)info->block_bytes)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: tensor %s (%" PRIu64 " values of type %s) is larger than the file",
                       path, t->name, n_values, info->name);
    t->type = (sv_type)type;
    t->n_bytes = n_blocks * (uint64_t)info->block_bytes;
    return SVLM_OK;
}

/* One entry. Its offset cannot become a pointer before the table's end is known. */
static svlm_status read_entry(const sv_gguf *g, sv_cursor *r, size_t i, uint64_t *offset,
                              svlm_error *err)
{
    sv_gguf_tensor *t = &g->tensors[i];
    char *name = g->names + i * NAME_STRIDE;
    uint64_t n_values = 1;
    svlm_status st;
    if ((st = read_name(g, r, name, i, err)))
        return st;
    t->name = name;
    if ((st = read_dims(g, r, t, &n_values, err)) ||
        (st = read_type(g, r, t, n_values, err)))
        return st;
    *offset = sv_read_u64(r);
    if (r->bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the offset of tensor %s",
                       g->map->path, t->name);
    return SVLM_OK;
}

/* Turns offsets into pointers: the data begin at the next multiple of the alignment. */
static svlm_status place(const sv_gguf *g, const sv_cursor *r, uint32_t alignment,
                         const uint64_t *offset, svlm_error *err)
{
    uint64_t header = (uint64_t)(r->p - g->map->data);
    uint64_t start = (header + alignment - 1) & ~(uint64_t)(alignment - 1);
    for (size_t i = 0; i < g->n_tensors; i++) {
        sv_gguf_tensor *t = &g->tensors[i];
        if (offset[i] % alignment)
            return sv_fail(err, SVLM_ERR_FORMAT,
                           "%s: tensor %s: offset %" PRIu64
                           " is no multiple of the alignment %" PRIu32,
                           g->map->path, t->name, offset[i], alignment);
        if (start > g->map->size || offset[i] > g->map->size - start ||
            t->n_bytes > g->map->size - start - offset[i])
            return sv_fail(err, SVLM_ERR_FORMAT,
                           "%s: tensor %s: %" PRIu64 " bytes at offset %" PRIu64
                           " do not fit the file, which is cut short or damaged",
                           g->map->path, t->name, t->n_bytes, offset[i]);
        t->data = g->map->data + start + offset[i];
    }
    return SVLM_OK;
}

static int cmp_data(const void *a, const void *b)
{
    const sv_gguf_tensor *s = *(const sv_gguf_tensor *const *)a,
                         *t = *(const sv_gguf_tensor *const *)b;
    return (s->data > t->data) - (s->data < t->data);
}

/* sorted: [n_tensors] room for pointers. */
static svlm_status check_overlaps(const sv_gguf *g, const sv_gguf_tensor **sorted, svlm_error *err)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, g->n_tensors, sizeof *sorted, cmp_data);
    for (size_t i = 1; i < g->n_tensors; i++)
        if (sorted[i - 1]->data + sorted[i - 1]->n_bytes > sorted[i]->data)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensors %s and %s overlap", g->map->path,
                           sorted[i - 1]->name, sorted[i]->name);
    return SVLM_OK;
}

static int cmp_name(const void *a, const void *b)
{
    const sv_gguf_tensor *s = *(const sv_gguf_tensor *const *)a,
                         *t = *(const sv_gguf_tensor *const *)b;
    return strcmp(s->name, t->name);
}

static svlm_status index_names(const sv_gguf *g, const sv_gguf_tensor **sorted, svlm_error *err)
{
    qsort(sorted, g->n_tensors, sizeof *sorted, cmp_name);
    for (size_t i = 0; i < g->n_tensors; i++) {
        if (i && !strcmp(sorted[i - 1]->name, sorted[i]->name))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s appears twice", g->map->path,
                           sorted[i]->name);
        g->by_name[i] = (size_t)(sorted[i] - g->tensors);
    }
    return SVLM_OK;
}

static svlm_status read_table(sv_gguf *g, sv_cursor *r, uint64_t *offset,
                              const sv_gguf_tensor **sorted, svlm_error *err)
{
    uint32_t alignment;
    svlm_status st;
    if ((st = read_alignment(g, &alignment, err)))
        return st;
    for (size_t i = 0; i < g->n_tensors; i++)
        if ((st = read_entry(g, r, i, &offset[i], err)))
            return st;
    if ((st = place(g, r, alignment, offset, err)) ||
        (st = check_overlaps(g, sorted, err)) ||
        (st = index_names(g, sorted, err)))
        return st;
    return SVLM_OK;
}

svlm_status sv_gguf_read_tensors(sv_gguf *g, sv_cursor *r, svlm_error *err)
{
    size_t n = g->n_tensors;
    g->tensors = sv_calloc(SV_MEM_MODEL, n, sizeof *g->tensors);
    g->by_name = sv_calloc(SV_MEM_MODEL, n, sizeof *g->by_name);
    g->names = sv_malloc(SV_MEM_MODEL, n, NAME_STRIDE);
    uint64_t *offset = sv_malloc(SV_MEM_TEMP, n, sizeof *offset);
    const sv_gguf_tensor **sorted = sv_malloc(SV_MEM_TEMP, n, sizeof *sorted);
    svlm_status st;
    if (g->tensors && g->by_name && g->names && offset && sorted)
        st = read_table(g, r, offset, sorted, err);
    else
        st = sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for a table of %zu tensors", g->map->path,
                     n);
    sv_free(sorted);
    sv_free(offset);
    return st;
}

const sv_gguf_tensor *sv_gguf_find(const sv_gguf *g, const char *name)
{
    size_t lo = 0, hi = g->n_tensors;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const sv_gguf_tensor *t = &g->tensors[g->by_name[mid]];
        int c = strcmp(name, t->name);
        if (!c)
            return t;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const sv_gguf_tensor *sv_gguf_findf(const sv_gguf *g, const char *fmt, ...)
{
    char name[NAME_STRIDE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return n < 0 || n > MAX_NAME ? NULL : sv_gguf_find(g, name);
}
