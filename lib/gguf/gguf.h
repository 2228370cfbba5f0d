/* SPDX-License-Identifier: MIT */
/* GGUF files, versions 2 and 3: bounded reading of hostile bytes. Everything
 * handed out is a view into the file's bytes (FORMATS.md, section 1). */
#ifndef SV_GGUF_H
#define SV_GGUF_H

#include "base/mapfile.h"
#include "base/type.h"

typedef struct sv_span { const char *p; size_t n; } sv_span;     /* not terminated */

typedef struct sv_gguf_array {
    uint32_t type;                /* GGUF value type of the elements */
    uint64_t n;
    const uint8_t *data, *end;
} sv_gguf_array;

typedef struct sv_gguf_tensor {
    const char *name;             /* terminated copy */
    int n_dims;
    uint64_t dim[4];              /* innermost first, missing ones 1 */
    sv_type type;
    const uint8_t *data;
    uint64_t n_bytes;
} sv_gguf_tensor;

typedef struct sv_gguf {
    const sv_map *map;
    uint32_t version;
    struct sv_gguf_key *keys;     /* sorted by name */
    size_t n_keys;
    sv_gguf_tensor *tensors;      /* in file order  */
    size_t n_tensors;
    size_t *by_name;              /* [n_tensors] indices sorted by name */
    char *names;
} sv_gguf;

/* *g is all zero after a failure. The map must outlive g. Nothing is allocated
 * before the counts are known to fit the file. Names of keys and tensors with
 * zero bytes, empty or double ones are refused, invalid UTF-8 is not (messages
 * escape it); tensors of types that we do not run are refused. */
svlm_status sv_gguf_parse(sv_gguf *g, const sv_map *map, svlm_error *err);
void sv_gguf_free(sv_gguf *g);    /* all zero is fine */

/* Keys. _get: the key must be there; _opt: *out keeps its value when it is not.
 * Any integer type is accepted where the value fits, f64 for f32. A wrong type
 * or range is FORMAT, naming file, key and value. */
int sv_gguf_has(const sv_gguf *g, const char *key);
svlm_status sv_gguf_get_u32(const sv_gguf *g, const char *key, uint32_t *out, svlm_error *err);
svlm_status sv_gguf_opt_u32(const sv_gguf *g, const char *key, uint32_t *out, svlm_error *err);
svlm_status sv_gguf_get_f32(const sv_gguf *g, const char *key, float *out, svlm_error *err);
svlm_status sv_gguf_opt_f32(const sv_gguf *g, const char *key, float *out, svlm_error *err);
svlm_status sv_gguf_opt_bool(const sv_gguf *g, const char *key, int *out, svlm_error *err);
svlm_status sv_gguf_get_str(const sv_gguf *g, const char *key, sv_span *out, svlm_error *err);
svlm_status sv_gguf_opt_str(const sv_gguf *g, const char *key, sv_span *out, svlm_error *err);
svlm_status sv_gguf_opt_array(const sv_gguf *g, const char *key, sv_gguf_array *out,
                              svlm_error *err);
/* Element i of a numeric array; bounds and type were checked at parse time. */
double sv_gguf_number(const sv_gguf_array *a, uint64_t i);
/* Walks a string array: start with *at = a->data. */
sv_span sv_gguf_next_string(const sv_gguf_array *a, const uint8_t **at);

/* NULL when absent. */
const sv_gguf_tensor *sv_gguf_find(const sv_gguf *g, const char *name);
const sv_gguf_tensor *sv_gguf_findf(const sv_gguf *g, const char *fmt, ...) SV_PRINTF(2, 3);

#endif
