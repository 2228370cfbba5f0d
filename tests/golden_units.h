/* SPDX-License-Identifier: MIT */
/* Reads tests/data/goldens/units: the JSON lists and the float matrices beside them. */
#ifndef SV_GOLDEN_UNITS_H
#define SV_GOLDEN_UNITS_H

#include "check.h"

#include <jansson.h>

typedef struct golden_matrix { int rows, columns; float *x; } golden_matrix;

static inline FILE *golden_open(const char *name)
{
    char path[4096];
    const char *data = getenv("SVLM_TEST_DATA");
    CHECK(data != NULL);
    snprintf(path, sizeof path, "%s/goldens/units/%s", data, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    return f;
}

static inline json_t *golden_json(const char *name)
{
    json_error_t err;
    FILE *f = golden_open(name);
    json_t *j = json_loadf(f, 0, &err);
    fclose(f);
    if (!j)
        fail_msg("%s: %s", name, err.text);
    return j;
}

/* .npy version 1.0, float32, C order, one or two dimensions. */
static inline golden_matrix golden_npy(const char *name)
{
    golden_matrix m = { 0 };
    unsigned char head[10];
    char text[1024];
    FILE *f = golden_open(name);
    CHECK(fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, "\x93NUMPY\1", 7));
    size_t n = head[8] | (size_t)head[9] << 8;
    CHECK(n < sizeof text && fread(text, 1, n, f) == n);
    text[n] = 0;
    const char *shape = strstr(text, "'shape': (");
    CHECK(strstr(text, "'<f4'") && shape);
    int found = sscanf(shape, "'shape': (%d, %d)", &m.rows, &m.columns);
    CHECK(found >= 1);
    if (found == 1) {
        m.columns = m.rows;
        m.rows = 1;
    }
    n = (size_t)m.rows * (size_t)m.columns;
    m.x = malloc(n * sizeof *m.x + 1);
    CHECK(m.x && fread(m.x, sizeof *m.x, n, f) == n);
    fclose(f);
    return m;
}

static inline golden_matrix golden_npy_of(const json_t *unit, const char *key)
{
    return golden_npy(json_string_value(json_object_get(unit, key)));
}

static inline int golden_count(const json_t *unit, const char *key)
{
    return (int)json_array_size(json_object_get(unit, key));
}

static inline double golden_number(const json_t *unit, const char *key, int i)
{
    return json_number_value(json_array_get(json_object_get(unit, key), (size_t)i));
}

#endif
