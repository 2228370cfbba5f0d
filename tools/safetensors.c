/* SPDX-License-Identifier: MIT */
/* Every header is checked in full before a tensor is handed out: offsets that tile the
 * data exactly, sizes that follow from shapes, names that stay in the folder. */
#include "safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "json_file.h"

/* A header of a 100-layer model has a quarter of a megabyte; parsing takes some thirty
 * times its size. */
enum { MAX_HEADER = 16 << 20, MAX_SHARDS = 1000 };

static const struct { const char *name; int bytes, type;
} dtypes[] = {
    {"F32", 4, SV_F32}, {"F16", 2, SV_F16}, {"BF16", 2, SV_BF16}, {"F64", 8, -1},
    {"I64", 8, -1},     {"U64", 8, -1},     {"I32", 4, -1},       {"U32", 4, -1},
    {"I16", 2, -1},     {"U16", 2, -1},     {"I8", 1, -1},        {"U8", 1, -1},
    {"BOOL", 1, -1},    {"F8_E4M3", 1, -1}, {"F8_E5M2", 1, -1},
};

/* ---- one tensor ------------------------------------------------------------- */

static svlm_status bad(const sv_shard *f, const char *name, const char *what, svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s: %s", f->map.path, name, what);
}

/* A whole number from 0 up. */
static int get_size(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return 0;
    *out = (uint64_t)json_integer_value(v);
    return 1;
}

/* The bytes that dtype and shape ask for. */
static svlm_status read_shape(const sv_shard *f, sv_st_tensor *t, const json_t *entry,
                              uint64_t *n_bytes, svlm_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    size_t kind = 0;
    t->dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!t->dtype)
        return bad(f, t->name, "it has no dtype", err);
    while (kind < sizeof dtypes / sizeof *dtypes && strcmp(dtypes[kind].name, t->dtype))
        kind++;
    if (kind == sizeof dtypes / sizeof *dtypes)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: tensor %s: dtype %s is unknown", f->map.path,
                       t->name, t->dtype);
    t->type = dtypes[kind].type;
    if (!json_is_array(shape) || json_array_size(shape) > SV_ST_MAX_DIMS)
        return bad(f, t->name, "its shape is not a list of up to 8 sizes", err);
    t->n_dims = (int)json_array_size(shape);
    *n_bytes = (uint64_t)dtypes[kind].bytes;
    for (int i = 0; i < t->n_dims; i++) {
        if (!get_size(json_array_get(shape, (size_t)i), &t->dim[i]))
            return bad(f, t->name, "a size of its shape is not a whole number from 0", err);
        if (t->dim[i] && *n_bytes > UINT64_MAX / t->dim[i])
            return bad(f, t->name, "its shape is absurdly large", err);
        *n_bytes *= t->dim[i];
    }
    return SVLM_OK;
}

static svlm_status read_entry(const sv_shard *f, sv_st_tensor *t, const json_t *entry,
                              const uint8_t *data, uint64_t n_data, svlm_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t n_bytes = 0, begin = 0, end = 0;
    svlm_status st = read_shape(f, t, entry, &n_bytes, err);
    if (st)
        return st;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !get_size(json_array_get(offsets, 0), &begin) ||
        !get_size(json_array_get(offsets, 1), &end))
        return bad(f, t->name, "its data_offsets are not two whole numbers", err);
    if (begin > end || end > n_data)
        return bad(f, t->name, "its data_offsets are reversed or beyond the file", err);
    if (end - begin != n_bytes)
        return bad(f, t->name, "its data_offsets do not span what dtype and shape need", err);
    t->data = data + begin;
    t->n_bytes = n_bytes;
    return SVLM_OK;
}

/* ---- one file --------------------------------------------------------------- */

static int by_data(const void *a, const void *b)
{
    const sv_st_tensor *s = a, *t = b;
    if (s->data != t->data)
        return s->data < t->data ? -1 : 1;
    return (s->n_bytes > t->n_bytes) - (s->n_bytes < t->n_bytes);       /* empty ones first */
}

/* Sorts by place; the data must be used up exactly. */
static svlm_status check_tiling(const sv_shard *f, sv_st_tensor *t, size_t n, const uint8_t *data,
                                svlm_error *err)
{
    const uint8_t *at = data;
    qsort(t, n, sizeof *t, by_data);
    for (size_t i = 0; i < n; i++) {
        if (t[i].data != at)
            return bad(f, t[i].name,
                       t[i].data < at ? "it overlaps another" : "there is a gap before it", err);
        at += t[i].n_bytes;
    }
    if (at != f->map.data + f->map.size)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %zu bytes at its end belong to no tensor",
                       f->map.path, (size_t)(f->map.data + f->map.size - at));
    return SVLM_OK;
}

static svlm_status open_header(sv_shard *f, uint64_t *n_header, svlm_error *err)
{
    const uint8_t *p = f->map.data;
    const char *path = f->map.path;
    uint64_t n = 0;
    if (f->map.size < 8)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s is too short for a safetensors file", path);
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)p[i] << 8 * i;
    if (n < 2 || n > f->map.size - 8)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: a header of %" PRIu64 " bytes does not fit the file; is it "
                       "safetensors?",
                       path, n);
    if (n > MAX_HEADER)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: its header of %" PRIu64 " bytes is larger than %d",
                       path, n, MAX_HEADER);
    if (p[8] != '{')
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: its header does not begin with {", path);
    *n_header = n;
    return sv_json_parse(&f->header, p + 8, (size_t)n, path, err);
}

static svlm_status grow(sv_safetensors *s, size_t more, svlm_error *err)
{
    sv_st_tensor *t = sv_realloc(SV_MEM_TEMP, s->tensors, s->n_tensors + more, sizeof *t);
    if (!t)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu tensors", s->n_tensors + more);
    s->tensors = t;
    return SVLM_OK;
}

/* Maps path as the next shard (room for it was made) and appends its tensors. */
static svlm_status open_shard(sv_safetensors *s, const char *path, svlm_error *err)
{
    sv_shard *f = &s->shards[s->n_shards];
    uint64_t n_header = 0;
    svlm_status st = sv_map_file(&f->map, path, 0, err);
    if (st)
        return st;
    int shard = s->n_shards++;
    if ((st = open_header(f, &n_header, err)) || (st = grow(s, json_object_size(f->header), err)))
        return st;
    const uint8_t *data = f->map.data + 8 + n_header;
    sv_st_tensor *first = s->tensors + s->n_tensors;
    const char *name;
    json_t *entry;
    json_object_foreach(f->header, name, entry) {
        if (!strcmp(name, "__metadata__"))
            continue;
        sv_st_tensor *t = s->tensors + s->n_tensors;
        *t = (sv_st_tensor){ .name = name, .shard = shard };
        if (!json_is_object(entry))
            return bad(f, name, "its entry is not an object", err);
        if ((st = read_entry(f, t, entry, data, f->map.size - 8 - n_header, err)))
            return st;
        s->n_tensors++;
    }
    return check_tiling(f, first, (size_t)(s->tensors + s->n_tensors - first), data, err);
}

/* ---- the checkpoint --------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const sv_st_tensor *)a)->name, ((const sv_st_tensor *)b)->name);
}

static svlm_status sort_names(sv_safetensors *s, const char *folder, svlm_error *err)
{
    qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (!by_name(&s->tensors[i - 1], &s->tensors[i]))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: tensor %s is in two shards", folder,
                           s->tensors[i].name);
    return SVLM_OK;
}

static int is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

static int is_open(const sv_safetensors *s, const char *path)
{
    for (int i = 0; i < s->n_shards; i++)
        if (!strcmp(s->shards[i].map.path, path))
            return 1;
    return 0;
}

static svlm_status open_named(sv_safetensors *s, const char *folder, const char *name,
                              svlm_error *err)
{
    if (!name || !is_plain_name(name))
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: the index names the shard \"%s\", which is not a file beside it",
                       folder, name ? name : "(no text)");
    char *path = sv_path_join(folder, name);
    svlm_status st = SVLM_OK;
    if (!path)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a file name");
    if (!is_open(s, path)) {
        if (s->n_shards == MAX_SHARDS)
            st = sv_fail(err, SVLM_ERR_LIMIT, "%s: the index names more than %d shards", folder,
                         MAX_SHARDS);
        else
            st = open_shard(s, path, err);
    }
    sv_free(path);
    return st;
}

/* Each tensor the index promises must be in the shard it names. */
static svlm_status check_map(const sv_safetensors *s, const char *folder, json_t *weight_map,
                             svlm_error *err)
{
    const char *name;
    json_t *file;
    json_object_foreach(weight_map, name, file) {
        sv_st_tensor want = { .name = name };
        const sv_st_tensor *t = bsearch(&want, s->tensors, s->n_tensors, sizeof want, by_name);
        const char *path = t ? s->shards[t->shard].map.path : "";
        size_t n = strlen(path), m = strlen(json_string_value(file));
        if (n < m || strcmp(path + n - m, json_string_value(file)))
            return sv_fail(err, SVLM_ERR_FORMAT,
                           "%s: tensor %s is not in %s, where the index says it is", folder, name,
                           json_string_value(file));
    }
    return SVLM_OK;
}

static svlm_status open_index(sv_safetensors *s, const char *folder, const json_t *index,
                              svlm_error *err)
{
    json_t *weight_map = json_object_get(index, "weight_map"), *file;
    const char *name;
    svlm_status st;
    if (!json_is_object(weight_map))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: model.safetensors.index.json has no weight_map",
                       folder);
    json_object_foreach(weight_map, name, file)
        if ((st = open_named(s, folder, json_string_value(file), err)))
            return st;
    if ((st = sort_names(s, folder, err)))
        return st;
    return check_map(s, folder, weight_map, err);
}

static int has_file(const char *folder, const char *name)
{
    char *path = sv_path_join(folder, name);
    int found = path && !access(path, F_OK);
    sv_free(path);
    return found;
}

static svlm_status open_single(sv_safetensors *s, const char *folder, svlm_error *err)
{
    svlm_status st;
    if (!has_file(folder, "model.safetensors") &&
        (has_file(folder, "pytorch_model.bin") || has_file(folder, "pytorch_model.bin.index.json")))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s holds PyTorch pickles, which are programs and not read here; "
                       "save the model as safetensors first",
                       folder);
    if ((st = open_named(s, folder, "model.safetensors", err)))
        return st;
    return sort_names(s, folder, err);
}

svlm_status sv_safetensors_open(sv_safetensors *s, const char *folder, svlm_error *err)
{
    json_t *index = NULL;
    svlm_status st;
    memset(s, 0, sizeof *s);
    if (!(s->shards = sv_calloc(SV_MEM_TEMP, MAX_SHARDS, sizeof *s->shards)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a checkpoint");
    if (!(st = sv_json_load(&index, folder, "model.safetensors.index.json", 1, err)))
        st = index ? open_index(s, folder, index, err) : open_single(s, folder, err);
    json_decref(index);
    if (st)
        sv_safetensors_close(s);
    return st;
}

void sv_safetensors_close(sv_safetensors *s)
{
    for (int i = 0; i < s->n_shards; i++) {
        json_decref(s->shards[i].header);
        sv_map_close(&s->shards[i].map);
    }
    sv_free(s->shards);
    sv_free(s->tensors);
    memset(s, 0, sizeof *s);
}
