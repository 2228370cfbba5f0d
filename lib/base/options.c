/* SPDX-License-Identifier: MIT */
/* Public structs by size. */
#include "base/options.h"

/* A size that is not a size: what an uninitialised struct most often holds. */
enum { MAX_STRUCT = 1 << 16 };

static size_t size_of(const void *options)
{
    size_t size;
    memcpy(&size, options, sizeof size);
    return size;
}

static int is_absurd(size_t size)
{
    return size < sizeof size || size > MAX_STRUCT;
}

svlm_status sv_options_read(void *dst, size_t n_bytes, const void *src, const char *what,
                            svlm_error *err)
{
    memset(dst, 0, n_bytes);
    if (src) {
        size_t size = size_of(src);
        if (is_absurd(size))
            return sv_fail(err, SVLM_ERR_ARG, "%s: size is %zu: call SVLM_INIT first", what, size);
        for (size_t i = n_bytes; i < size; i++)
            if (((const char *)src)[i])
                return sv_fail(err, SVLM_ERR_ARG,
                               "%s: an option is set that this version of the library lacks", what);
        memcpy(dst, src, size < n_bytes ? size : n_bytes);
    }
    memcpy(dst, &n_bytes, sizeof n_bytes);
    return SVLM_OK;
}

svlm_status sv_result_write(void *dst, const void *src, size_t n_bytes)
{
    if (!dst || is_absurd(size_of(dst)))
        return SVLM_ERR_ARG;
    size_t size = size_of(dst);
    memset(dst, 0, size);
    memcpy(dst, src, size < n_bytes ? size : n_bytes);
    memcpy(dst, &size, sizeof size);
    return SVLM_OK;
}
