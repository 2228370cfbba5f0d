/* SPDX-License-Identifier: MIT */
/* The frame of a GGUF file: magic, version, counts; then keys and tensors. */
#include "gguf/gguf_read.h"

#include <inttypes.h>

#include "base/alloc.h"

/* Far above any model (a 405B one has 1138 tensors and some 60 keys); they bound
 * what a hostile file can make us allocate to some 30 MB. */
enum { MAX_KEYS = 65536, MAX_TENSORS = 131072 };

/* The fewest bytes a key (length, one letter, type, one byte of value) and a
 * tensor (length, one letter, dimensions, one size, type, offset) can take. */
enum { MIN_KEY = 8 + 1 + 4 + 1, MIN_TENSOR = 8 + 1 + 4 + 8 + 4 + 8 };

/* What a file that is not GGUF seems to be, or NULL. */
static const char *other_format(const uint8_t *p, size_t n)
{
    static const struct { char magic[5]; const char *what; } known[] = {
        { "PK\3\4", "a ZIP archive (perhaps a PyTorch checkpoint)" },
        { "lmgg", "an old ggml model" }, { "tjgg", "an old ggml model (ggjt)" },
        { "fmgg", "an old ggml model (ggmf)" }, { "algg", "an old ggml adapter" },
        { "\x89PNG", "a PNG picture" }, { "\xff\xd8\xff", "a JPEG picture" },
        { "\x80\2", "a Python pickle" }, { "vers", "a Git LFS pointer, not the file itself" },
        { "<!DO", "a web page" }, { "<htm", "a web page" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t len = strlen(known[i].magic);
        if (n >= len && !memcmp(p, known[i].magic, len))
            return known[i].what;
    }
    if (n > 9 && p[8] == '{')     /* a length, then JSON */
        return "a safetensors file (sparsevlm convert makes GGUF files of a checkpoint)";
    return NULL;
}

static svlm_status check_magic(const sv_map *map, svlm_error *err)
{
    if (map->size >= 4 && !memcmp(map->data, "GGUF", 4))
        return SVLM_OK;
    const char *what = other_format(map->data, map->size);
    if (what)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s is not a GGUF file but %s", map->path, what);
    return sv_fail(err, SVLM_ERR_FORMAT, "%s is not a GGUF file", map->path);
}

static svlm_status check_version(const sv_gguf *g, svlm_error *err)
{
    const char *path = g->map->path;
    if (g->version == 2 || g->version == 3)
        return SVLM_OK;
    if (g->version && !(g->version & 0xffff))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s has the wrong byte order (big-endian)", path);
    if (g->version == 1)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: GGUF version 1 is not supported, only 2 and 3; convert the model anew",
                       path);
    return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                   "%s: GGUF version %" PRIu32 " is not supported, only 2 and 3", path, g->version);
}

/* Reads the counts and proves that the bytes that follow could hold them. */
static svlm_status read_counts(sv_gguf *g, sv_cursor *r, svlm_error *err)
{
    uint64_t n_tensors = sv_read_u64(r), n_keys = sv_read_u64(r);
    size_t left = sv_cursor_left(r);
    if (r->bad || n_tensors > left / MIN_TENSOR || n_keys > left / MIN_KEY)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: the header is cut short or absurd (%" PRIu64 " tensors and %" PRIu64
                       " keys in %zu bytes)",
                       g->map->path, n_tensors, n_keys, left);
    if (n_tensors > MAX_TENSORS || n_keys > MAX_KEYS)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: %" PRIu64 " tensors and %" PRIu64
                       " keys are more than the limits, %d and %d", g->map->path, n_tensors, n_keys,
                       MAX_TENSORS, MAX_KEYS);
    g->n_tensors = (size_t)n_tensors;
    g->n_keys = (size_t)n_keys;
    return SVLM_OK;
}

static svlm_status refuse_split(const sv_gguf *g, svlm_error *err)
{
    uint32_t no = 0, count = 1;
    svlm_status st;
    if ((st = sv_gguf_opt_u32(g, "split.no", &no, err)) ||
        (st = sv_gguf_opt_u32(g, "split.count", &count, err)))
        return st;
    if (count < 2)
        return SVLM_OK;
    return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                   "%s is part %" PRIu64 " of a model split into %" PRIu32
                   " files; join them first (llama-gguf-split --merge)",
                   g->map->path, (uint64_t)no + 1, count);
}

svlm_status sv_gguf_parse(sv_gguf *g, const sv_map *map, svlm_error *err)
{
    sv_cursor r = { map->data, map->data + map->size, 0 };
    svlm_status st;
    memset(g, 0, sizeof *g);
    g->map = map;
    if ((st = check_magic(map, err)))
        goto fail;
    sv_read_u32(&r);
    g->version = sv_read_u32(&r);
    if ((st = check_version(g, err)) ||
        (st = read_counts(g, &r, err)) ||
        (st = sv_gguf_read_keys(g, &r, err)) ||
        (st = refuse_split(g, err)) ||
        (st = sv_gguf_read_tensors(g, &r, err)))
        goto fail;
    return SVLM_OK;
fail:
    sv_gguf_free(g);
    return st;
}

void sv_gguf_free(sv_gguf *g)
{
    sv_free(g->keys);
    sv_free(g->tensors);
    sv_free(g->by_name);
    sv_free(g->names);
    memset(g, 0, sizeof *g);
}
