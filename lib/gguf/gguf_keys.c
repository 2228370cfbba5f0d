/* SPDX-License-Identifier: MIT */
/* Metadata: reading every key once, checked, and handing out typed values. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "gguf/gguf_read.h"

enum { MAX_KEY_NAME = 65535 };    /* as the specification says */

static const struct { const char *name; uint8_t n_bytes; } types[SV_GGUF_N_TYPES] = {
    [SV_GGUF_U8] = { "u8", 1 },     [SV_GGUF_I8] = { "i8", 1 },     [SV_GGUF_U16] = { "u16", 2 },
    [SV_GGUF_I16] = { "i16", 2 },   [SV_GGUF_U32] = { "u32", 4 },   [SV_GGUF_I32] = { "i32", 4 },
    [SV_GGUF_F32] = { "f32", 4 },   [SV_GGUF_BOOL] = { "bool", 1 }, [SV_GGUF_STR] = { "string", 0 },
    [SV_GGUF_ARRAY] = { "array", 0 }, [SV_GGUF_U64] = { "u64", 8 }, [SV_GGUF_I64] = { "i64", 8 },
    [SV_GGUF_F64] = { "f64", 8 },
};

size_t sv_gguf_type_bytes(uint32_t type)
{
    return type < SV_GGUF_N_TYPES ? types[type].n_bytes : 0;
}

const char *sv_gguf_type_name(uint32_t type)
{
    static _Thread_local char text[24];
    if (type < SV_GGUF_N_TYPES)
        return types[type].name;
    snprintf(text, sizeof text, "type %" PRIu32, type);
    return text;
}

/* Names in messages: a length for %.*s that fits int and stays readable. */
static int shown(sv_span s)
{
    return s.n < 100 ? (int)s.n : 100;
}

/* ---- reading -------------------------------------------------------------- */

static svlm_status read_name(const sv_gguf *g, sv_cursor *r, struct sv_gguf_key *k, size_t i,
                             svlm_error *err)
{
    const char *path = g->map->path;
    k->name = sv_read_string(r);
    if (r->bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the name of key %zu", path, i);
    if (k->name.n == 0)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %zu has no name", path, i);
    if (k->name.n > MAX_KEY_NAME)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: the name of key %zu has %zu bytes, at most %d are allowed", path, i,
                       k->name.n, MAX_KEY_NAME);
    if (memchr(k->name.p, 0, k->name.n))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the name of key %zu contains a zero byte", path,
                       i);
    return SVLM_OK;
}

/* Walks n values of a type; not arrays, so hostile nesting has nothing to hold on to. */
static void skip_values(sv_cursor *r, uint32_t type, uint64_t n)
{
    size_t size = sv_gguf_type_bytes(type);
    if (size) {
        sv_read_bytes(r, n > UINT64_MAX / size ? UINT64_MAX : n * size);
        return;
    }
    if (n > sv_cursor_left(r) / 8)              /* each text has a length at least */
        r->bad = 1;
    for (uint64_t i = 0; i < n && !r->bad; i++)
        sv_read_string(r);
}

static svlm_status read_value(const sv_gguf *g, sv_cursor *r, struct sv_gguf_key *k,
                              svlm_error *err)
{
    const char *path = g->map->path;
    sv_gguf_array *v = &k->value;
    k->type = v->type = sv_read_u32(r);
    v->n = 1;
    if (k->type == SV_GGUF_ARRAY) {
        v->type = sv_read_u32(r);
        v->n = sv_read_u64(r);
        if (v->type == SV_GGUF_ARRAY)
            return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: key %.*s is an array of arrays", path,
                           shown(k->name), k->name.p);
    }
    if (v->type >= SV_GGUF_N_TYPES)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %.*s has the unknown value type %" PRIu32,
                       path, shown(k->name), k->name.p, v->type);
    v->data = r->p;
    skip_values(r, v->type, v->n);
    v->end = r->p;
    if (r->bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file ends in the value of key %.*s (%s)",
                       path, shown(k->name), k->name.p, sv_gguf_type_name(k->type));
    return SVLM_OK;
}

static int by_name(const void *a, const void *b)
{
    return sv_span_cmp(((const struct sv_gguf_key *)a)->name,
                       ((const struct sv_gguf_key *)b)->name);
}

svlm_status sv_gguf_read_keys(sv_gguf *g, sv_cursor *r, svlm_error *err)
{
    svlm_status st;
    if (!(g->keys = sv_calloc(SV_MEM_MODEL, g->n_keys, sizeof *g->keys)))
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for %zu keys", g->map->path, g->n_keys);
    for (size_t i = 0; i < g->n_keys; i++)
        if ((st = read_name(g, r, &g->keys[i], i, err)) ||
            (st = read_value(g, r, &g->keys[i], err)))
            return st;
    qsort(g->keys, g->n_keys, sizeof *g->keys, by_name);
    for (size_t i = 1; i < g->n_keys; i++)
        if (!by_name(&g->keys[i - 1], &g->keys[i]))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %.*s appears twice", g->map->path,
                           shown(g->keys[i].name), g->keys[i].name.p);
    return SVLM_OK;
}

/* ---- handing out ---------------------------------------------------------- */

static const struct sv_gguf_key *find(const sv_gguf *g, const char *name)
{
    struct sv_gguf_key want = { .name = { name, strlen(name) } };
    if (!g->n_keys)
        return NULL;
    return bsearch(&want, g->keys, g->n_keys, sizeof *g->keys, by_name);
}

/* A scalar integer: its magnitude and whether it is negative. 0 if k is none. */
static int integer_of(const struct sv_gguf_key *k, uint64_t *magnitude, int *negative)
{
    sv_cursor r = { k->value.data, k->value.end, 0 };
    int n_bytes = (int)sv_gguf_type_bytes(k->type);
    uint64_t v;
    *negative = 0;
    switch (k->type) {
    case SV_GGUF_U8: case SV_GGUF_U16: case SV_GGUF_U32: case SV_GGUF_U64:
        *magnitude = sv_read_le(&r, n_bytes);
        return 1;
    case SV_GGUF_I8: case SV_GGUF_I16: case SV_GGUF_I32: case SV_GGUF_I64:
        v = sv_read_le(&r, n_bytes);
        *negative = (int)(v >> (8 * n_bytes - 1));
        /* Two's complement by hand, in 64 bits. */
        *magnitude = *negative ? (UINT64_MAX >> (64 - 8 * n_bytes)) - v + 1 : v;
        return 1;
    default:
        return 0;
    }
}

static svlm_status missing(const sv_gguf *g, const char *key, svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_FORMAT, "%s: the key %s is missing", g->map->path, key);
}

static svlm_status wrong_type(const sv_gguf *g, const struct sv_gguf_key *k, const char *want,
                              svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %.*s is of type %s, expected %s", g->map->path,
                   shown(k->name), k->name.p, sv_gguf_type_name(k->type), want);
}

int sv_gguf_has(const sv_gguf *g, const char *key)
{
    return find(g, key) != NULL;
}

svlm_status sv_gguf_opt_u32(const sv_gguf *g, const char *key, uint32_t *out, svlm_error *err)
{
    const struct sv_gguf_key *k = find(g, key);
    uint64_t v;
    int negative;
    if (!k)
        return SVLM_OK;
    if (!integer_of(k, &v, &negative))
        return wrong_type(g, k, "an integer", err);
    if ((negative && v) || v > UINT32_MAX)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %s is %s%" PRIu64 ", outside 0 to %" PRIu32,
                       g->map->path, key, negative ? "-" : "", v, UINT32_MAX);
    *out = (uint32_t)v;
    return SVLM_OK;
}

svlm_status sv_gguf_get_u32(const sv_gguf *g, const char *key, uint32_t *out, svlm_error *err)
{
    return find(g, key) ? sv_gguf_opt_u32(g, key, out, err) : missing(g, key, err);
}

svlm_status sv_gguf_opt_f32(const sv_gguf *g, const char *key, float *out, svlm_error *err)
{
    const struct sv_gguf_key *k = find(g, key);
    if (!k)
        return SVLM_OK;
    if (k->type != SV_GGUF_F32 && k->type != SV_GGUF_F64)
        return wrong_type(g, k, "f32", err);
    double v = sv_gguf_number(&k->value, 0);
    if (isfinite(v) && fabs(v) > 3.4028234663852886e38)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %s is %g, outside the range of f32",
                       g->map->path, key, v);
    *out = (float)v;
    return SVLM_OK;
}

svlm_status sv_gguf_get_f32(const sv_gguf *g, const char *key, float *out, svlm_error *err)
{
    return find(g, key) ? sv_gguf_opt_f32(g, key, out, err) : missing(g, key, err);
}

svlm_status sv_gguf_opt_bool(const sv_gguf *g, const char *key, int *out, svlm_error *err)
{
    const struct sv_gguf_key *k = find(g, key);
    if (!k)
        return SVLM_OK;
    uint64_t v = k->value.data[0];
    int negative = 0;
    if (k->type != SV_GGUF_BOOL && !integer_of(k, &v, &negative))
        return wrong_type(g, k, "bool", err);
    if (negative || v > 1)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: key %s is %s%" PRIu64 ", neither 0 nor 1",
                       g->map->path, key, negative ? "-" : "", v);
    *out = (int)v;
    return SVLM_OK;
}

svlm_status sv_gguf_opt_str(const sv_gguf *g, const char *key, sv_span *out, svlm_error *err)
{
    const struct sv_gguf_key *k = find(g, key);
    if (!k)
        return SVLM_OK;
    if (k->type != SV_GGUF_STR)
        return wrong_type(g, k, "string", err);
    const uint8_t *at = k->value.data;
    *out = sv_gguf_next_string(&k->value, &at);
    return SVLM_OK;
}

svlm_status sv_gguf_get_str(const sv_gguf *g, const char *key, sv_span *out, svlm_error *err)
{
    return find(g, key) ? sv_gguf_opt_str(g, key, out, err) : missing(g, key, err);
}

svlm_status sv_gguf_opt_array(const sv_gguf *g, const char *key, sv_gguf_array *out,
                              svlm_error *err)
{
    const struct sv_gguf_key *k = find(g, key);
    if (!k)
        return SVLM_OK;
    if (k->type != SV_GGUF_ARRAY)
        return wrong_type(g, k, "array", err);
    *out = k->value;
    return SVLM_OK;
}

double sv_gguf_number(const sv_gguf_array *a, uint64_t i)
{
    size_t size = sv_gguf_type_bytes(a->type);
    if (!size || i >= a->n)
        return 0;
    const uint8_t *p = a->data + i * size;
    sv_cursor r = { p, p + size, 0 };
    uint64_t bits = sv_read_le(&r, (int)size);
    float f;
    double d;
    switch (a->type) {
    case SV_GGUF_I8:  return (double)(int8_t)bits;
    case SV_GGUF_I16: return (double)(int16_t)bits;
    case SV_GGUF_I32: return (double)(int32_t)bits;
    case SV_GGUF_I64: return (double)(int64_t)bits;
    case SV_GGUF_F32: memcpy(&f, p, sizeof f); return (double)f;
    case SV_GGUF_F64: memcpy(&d, p, sizeof d); return d;
    default:          return (double)bits;
    }
}

sv_span sv_gguf_next_string(const sv_gguf_array *a, const uint8_t **at)
{
    sv_cursor r = { *at, a->end, 0 };
    sv_span s = sv_read_string(&r);
    *at = r.p;
    return s;
}
