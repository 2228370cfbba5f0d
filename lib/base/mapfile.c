/* SPDX-License-Identifier: MIT */
/* A file's bytes, mapped read-only or read into memory. */
#include "base/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

/* Fills the copy, however the system cuts the reads. */
static svlm_status read_all(sv_map *map, svlm_error *err)
{
    uint8_t *p = sv_block_new(SV_MEM_MODEL, map->size, 1);
    if (!p)
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for its %zu bytes", map->path, map->size);
    map->data = p;
    for (size_t done = 0; done < map->size;) {
        ssize_t n = read(map->fd, p + done, map->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return sv_fail(err, SVLM_ERR_IO, "%s: %s after %zu of %zu bytes", map->path,
                           n < 0 ? strerror(errno) : "the file ended", done, map->size);
        done += (size_t)n;
    }
    return SVLM_OK;
}

static svlm_status open_regular(sv_map *map, svlm_error *err)
{
    struct stat st;
    map->fd = open(map->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);       /* a FIFO must not block */
    if (map->fd < 0)
        return sv_fail(err, SVLM_ERR_IO, "cannot open %s: %s", map->path, strerror(errno));
    if (fstat(map->fd, &st))
        return sv_fail(err, SVLM_ERR_IO, "cannot inspect %s: %s", map->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return sv_fail(err, SVLM_ERR_IO, "cannot open %s: it is %s, not a file", map->path,
                       S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
    if (st.st_size == 0)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s is empty", map->path);
    if ((uintmax_t)st.st_size > SIZE_MAX)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: %" PRIuMAX " bytes do not fit this machine's addresses",
                       map->path, (uintmax_t)st.st_size);
    map->size = (size_t)st.st_size;
    return SVLM_OK;
}

svlm_status sv_map_file(sv_map *map, const char *path, int read_into_memory, svlm_error *err)
{
    svlm_status st;
    memset(map, 0, sizeof *map);
    map->fd = -1;
    map->is_copy = read_into_memory;
    if (!(map->path = sv_strdup(SV_MEM_MODEL, path))) {
        st = sv_fail(err, SVLM_ERR_NOMEM, "no memory for a file name");
        goto fail;
    }
    if ((st = open_regular(map, err)))
        goto fail;
    if (read_into_memory) {
        if ((st = read_all(map, err)))
            goto fail;
        close(map->fd);
        map->fd = -1;
        return SVLM_OK;
    }
    void *p = mmap(NULL, map->size, PROT_READ, MAP_SHARED, map->fd, 0);
    if (p == MAP_FAILED) {
        st = sv_fail(err, SVLM_ERR_NOMEM, "cannot map %s (%zu bytes): %s", path, map->size,
                     strerror(errno));
        goto fail;
    }
    map->data = p;
    return SVLM_OK;
fail:
    sv_map_close(map);
    return st;
}

svlm_status sv_map_check(const sv_map *map, svlm_error *err)
{
    struct stat st;
    if (map->fd < 0)
        return SVLM_OK;
    if (fstat(map->fd, &st) || (uintmax_t)st.st_size < map->size)
        return sv_fail(err, SVLM_ERR_IO, "%s has become shorter while it is in use", map->path);
    return SVLM_OK;
}

void sv_map_release(const sv_map *map, const void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)p;
    uintptr_t first = (at + page - 1) / page * page, end = (at + n) / page * page;
    if (map->fd >= 0 && first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);     /* a wish, no more */
}

void sv_map_close(sv_map *map)
{
    if (map->data && map->is_copy)
        sv_block_free((void *)(uintptr_t)map->data, map->size);
    else if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    if (map->path && map->fd >= 0)
        close(map->fd);
    sv_free(map->path);
    memset(map, 0, sizeof *map);
}
