/* SPDX-License-Identifier: MIT */
/* Just enough protobuf: a message is a row of fields, each a number and a value of one
 * of four shapes. Two passes: count the pieces, then keep them. */
#include "sentencepiece.h"

#include <math.h>

#include "base/alloc.h"
#include "gguf/gguf_read.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { BPE = 2 };
enum { NORMAL = 1, BYTE = 6 };    /* types of pieces, the same numbers as in GGUF */

typedef struct field {
    uint32_t number;
    int shape;
    uint64_t value;               /* VARINT, FIXED32 */
    sv_span bytes;                /* BYTES           */
} field;

static uint64_t read_varint(sv_cursor *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint64_t byte = sv_read_le(r, 1);
        v |= (byte & 127) << shift;
        if (byte < 128)
            return v;
    }
    r->bad = 1;
    return 0;
}

/* 0 at the end of the message or where it is damaged (r->bad). */
static int next_field(sv_cursor *r, field *f)
{
    if (r->bad || !sv_cursor_left(r))
        return 0;
    uint64_t tag = read_varint(r);
    f->number = (uint32_t)(tag >> 3);
    f->shape = (int)(tag & 7);
    switch (f->shape) {
    case VARINT:  f->value = read_varint(r); break;
    case FIXED64: f->value = sv_read_u64(r); break;
    case FIXED32: f->value = sv_read_u32(r); break;
    case BYTES:
        f->value = read_varint(r);
        f->bytes.p = (const char *)sv_read_bytes(r, f->value);
        f->bytes.n = r->bad ? 0 : (size_t)f->value;
        break;
    default:
        r->bad = 1;
    }
    return !r->bad;
}

static sv_cursor cursor_of(sv_span s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    return (sv_cursor){ p, p + s.n, 0 };
}

static svlm_status read_piece(sv_sentencepiece *sp, sv_span message, svlm_error *err)
{
    sv_cursor r = cursor_of(message);
    size_t i = sp->n;
    field f;
    sp->types[i] = NORMAL;
    while (next_field(&r, &f)) {
        uint32_t bits = (uint32_t)f.value;
        if (f.number == 1 && f.shape == BYTES)
            sp->texts[i] = f.bytes;
        else if (f.number == 2 && f.shape == FIXED32)
            memcpy(&sp->scores[i], &bits, sizeof bits);
        else if (f.number == 3 && f.shape == VARINT)
            sp->types[i] = f.value <= BYTE ? (int32_t)f.value : 0;
    }
    if (r.bad || !sp->texts[i].n || sp->types[i] < NORMAL || !isfinite(sp->scores[i]))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: piece %zu is damaged", sp->map.path, i);
    sp->n++;
    return SVLM_OK;
}

/* An id as protobuf writes an int32: negative ones with 64 bits. */
static int id_of(uint64_t v)
{
    return v <= INT32_MAX ? (int)v : -1;
}

static svlm_status read_trainer(sv_sentencepiece *sp, sv_span message, svlm_error *err)
{
    sv_cursor r = cursor_of(message);
    field f;
    uint64_t model = 1;
    while (next_field(&r, &f)) {
        if (f.shape != VARINT)
            continue;
        switch (f.number) {
        case 3:  model = f.value; break;
        case 40: sp->unk = id_of(f.value); break;
        case 41: sp->bos = id_of(f.value); break;
        case 42: sp->eos = id_of(f.value); break;
        case 43: sp->pad = id_of(f.value); break;
        default: break;
        }
    }
    if (r.bad)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: its settings are damaged", sp->map.path);
    if (model != BPE)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s is not a byte-pair model (kind %d)",
                       sp->map.path, id_of(model));
    return SVLM_OK;
}

static void read_normalizer(sv_sentencepiece *sp, sv_span message)
{
    sv_cursor r = cursor_of(message);
    field f;
    while (next_field(&r, &f))
        if (f.number == 3 && f.shape == VARINT)
            sp->add_space_prefix = f.value != 0;
}

static svlm_status allocate(sv_sentencepiece *sp, svlm_error *err)
{
    sv_cursor r = { sp->map.data, sp->map.data + sp->map.size, 0 };
    size_t n = 0;
    field f;
    while (next_field(&r, &f))
        n += f.number == 1 && f.shape == BYTES;
    if (r.bad || !n)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s is not a SentencePiece model, or damaged",
                       sp->map.path);
    sp->texts = sv_calloc(SV_MEM_TEMP, n, sizeof *sp->texts);
    sp->scores = sv_calloc(SV_MEM_TEMP, n, sizeof *sp->scores);
    sp->types = sv_calloc(SV_MEM_TEMP, n, sizeof *sp->types);
    if (!sp->texts || !sp->scores || !sp->types)
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for %zu pieces", sp->map.path, n);
    return SVLM_OK;
}

static svlm_status read_model(sv_sentencepiece *sp, svlm_error *err)
{
    sv_cursor r = { sp->map.data, sp->map.data + sp->map.size, 0 };
    svlm_status st = SVLM_OK;
    field f;
    int trained = 0;
    while (!st && next_field(&r, &f)) {
        if (f.shape != BYTES)
            continue;
        if (f.number == 1)
            st = read_piece(sp, f.bytes, err);
        if (f.number == 2 && ++trained)
            st = read_trainer(sp, f.bytes, err);
        if (f.number == 3)
            read_normalizer(sp, f.bytes);
    }
    if (!st && !trained)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s does not say what kind of model it is",
                       sp->map.path);
    return st;
}

svlm_status sv_sentencepiece_open(sv_sentencepiece *sp, const char *path, svlm_error *err)
{
    svlm_status st;
    memset(sp, 0, sizeof *sp);
    sp->map.fd = -1;
    sp->bos = 1;                  /* the format's defaults */
    sp->eos = 2;
    sp->pad = -1;
    sp->add_space_prefix = 1;
    if (!(st = sv_map_file(&sp->map, path, 1, err)) && !(st = allocate(sp, err)))
        st = read_model(sp, err);
    if (st)
        sv_sentencepiece_close(sp);
    return st;
}

void sv_sentencepiece_close(sv_sentencepiece *sp)
{
    sv_free(sp->texts);
    sv_free(sp->scores);
    sv_free(sp->types);
    sv_map_close(&sp->map);
    memset(sp, 0, sizeof *sp);
}
