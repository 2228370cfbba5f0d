/* SPDX-License-Identifier: MIT */
/* JSON files of a checkpoint. Jansson bounds the depth; sizes are bounded here. */
#include "json_file.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"

enum { MAX_FILE = 64 << 20 };     /* an index of a thousand shards has a megabyte */

char *sv_path_join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = sv_malloc(SV_MEM_TEMP, n, 1);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

svlm_status sv_json_parse(json_t **out, const void *text, size_t n, const char *path,
                          svlm_error *err)
{
    json_error_t je;
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!*out)
        return sv_fail(err,
                       json_error_code(&je) == json_error_out_of_memory ? SVLM_ERR_NOMEM
                                                                        : SVLM_ERR_FORMAT,
                       "%s: line %d of its JSON: %s", path, je.line, je.text);
    if (json_is_object(*out))
        return SVLM_OK;
    json_decref(*out);
    *out = NULL;
    return sv_fail(err, SVLM_ERR_FORMAT, "%s does not hold a JSON object", path);
}

static svlm_status load(json_t **out, const char *path, svlm_error *err)
{
    sv_map map;
    svlm_status st = sv_map_file(&map, path, 1, err);
    if (st)
        return st;
    if (map.size > MAX_FILE)
        st = sv_fail(err, SVLM_ERR_LIMIT, "%s: %zu bytes are too many for a JSON file", path,
                     map.size);
    else
        st = sv_json_parse(out, map.data, map.size, path, err);
    sv_map_close(&map);
    return st;
}

svlm_status sv_json_load(json_t **out, const char *folder, const char *name, int optional,
                         svlm_error *err)
{
    char *path = sv_path_join(folder, name);
    svlm_status st = SVLM_OK;
    *out = NULL;
    if (!path)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a file name");
    if (!optional || !access(path, F_OK))
        st = load(out, path, err);
    sv_free(path);
    return st;
}

/* ---- members ---------------------------------------------------------------- */

static const json_t *member(const sv_json_reader *r, const char *key)
{
    const json_t *v = r->object ? json_object_get(r->object, key) : NULL;
    return json_is_null(v) ? NULL : v;
}

static void fail(sv_json_reader *r, const char *key, const char *want)
{
    if (!r->status)
        r->status = sv_fail(r->err, SVLM_ERR_FORMAT, "%s: \"%s\" is not %s", r->path, key, want);
}

int sv_json_int(sv_json_reader *r, const char *key, int fallback, int min, int max)
{
    const json_t *v = member(r, key);
    if (!v)
        return fallback;
    if (json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= max)
        return (int)json_integer_value(v);
    char want[60];
    snprintf(want, sizeof want, "a whole number from %d to %d", min, max);
    fail(r, key, want);
    return fallback;
}

double sv_json_real(sv_json_reader *r, const char *key, double fallback)
{
    const json_t *v = member(r, key);
    if (!v)
        return fallback;
    if (!json_is_number(v))
        fail(r, key, "a number");
    return json_number_value(v);
}

int sv_json_bool(sv_json_reader *r, const char *key, int fallback)
{
    const json_t *v = member(r, key);
    if (!v)
        return fallback;
    if (!json_is_boolean(v))
        fail(r, key, "true or false");
    return json_is_true(v);
}

const char *sv_json_text(sv_json_reader *r, const char *key, const char *fallback)
{
    const json_t *v = member(r, key);
    if (!v)
        return fallback;
    if (!json_is_string(v)) {
        fail(r, key, "a text");
        return fallback;
    }
    return json_string_value(v);
}
