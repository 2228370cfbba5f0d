/* SPDX-License-Identifier: MIT */
/* What the files of the reader share: the bounded cursor, the value types and
 * the passes over keys and tensors. */
#ifndef SV_GGUF_READ_H
#define SV_GGUF_READ_H

#include <string.h>

#include "gguf/gguf.h"

typedef enum sv_gguf_type {
    SV_GGUF_U8, SV_GGUF_I8, SV_GGUF_U16, SV_GGUF_I16, SV_GGUF_U32, SV_GGUF_I32, SV_GGUF_F32,
    SV_GGUF_BOOL, SV_GGUF_STR, SV_GGUF_ARRAY, SV_GGUF_U64, SV_GGUF_I64, SV_GGUF_F64, SV_GGUF_N_TYPES
} sv_gguf_type;

struct sv_gguf_key {
    sv_span name;
    uint32_t type;                /* sv_gguf_type                              */
    sv_gguf_array value;          /* scalars and texts too: data .. end, n = 1 */
};

/* Bytes of a scalar; 0 for texts, arrays and unknown types. */
size_t sv_gguf_type_bytes(uint32_t type);
/* "u32", "string", ...; "type 77" for others (static or thread-local). */
const char *sv_gguf_type_name(uint32_t type);

/* A cursor that never leaves its bytes: an overrun gives zeros and sets bad. */
typedef struct sv_cursor {
    const uint8_t *p, *end;
    int bad;
} sv_cursor;

static inline size_t sv_cursor_left(const sv_cursor *r)
{
    return (size_t)(r->end - r->p);
}

/* The next n bytes, or NULL. */
static inline const uint8_t *sv_read_bytes(sv_cursor *r, uint64_t n)
{
    const uint8_t *p = r->p;
    if (r->bad || n > sv_cursor_left(r)) {
        r->bad = 1;
        return NULL;
    }
    r->p += n;
    return p;
}

static inline uint64_t sv_read_le(sv_cursor *r, int n_bytes)
{
    const uint8_t *p = sv_read_bytes(r, (uint64_t)n_bytes);
    uint64_t v = 0;
    for (int i = 0; p && i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline uint32_t sv_read_u32(sv_cursor *r)
{
    return (uint32_t)sv_read_le(r, 4);
}

static inline uint64_t sv_read_u64(sv_cursor *r)
{
    return sv_read_le(r, 8);
}

/* A length and that many bytes; empty after an overrun. */
static inline sv_span sv_read_string(sv_cursor *r)
{
    uint64_t n = sv_read_u64(r);
    const uint8_t *p = sv_read_bytes(r, n);
    return (sv_span){ (const char *)p, p ? (size_t)n : 0 };
}

/* By bytes, a shorter one before a longer one that begins with it. */
static inline int sv_span_cmp(sv_span a, sv_span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* The steps of sv_gguf_parse; counts in g were proven plausible before. */
svlm_status sv_gguf_read_keys(sv_gguf *g, sv_cursor *r, svlm_error *err);
svlm_status sv_gguf_read_tensors(sv_gguf *g, sv_cursor *r, svlm_error *err);

#endif
