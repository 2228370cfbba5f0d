/* SPDX-License-Identifier: MIT */
/* Recoding in batches: every thread expands pieces of the source to floats and
 * quantises them; then the batch is written in order. */
#include "recode.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "simd/kernels.h"
#include "tensor/quantize.h"

/* Values of a piece (or one row, if that is longer), and pieces of a batch. */
enum { PIECE = 1 << 16, PIECES_PER_THREAD = 4, MAX_ROW = 1 << 26 };

typedef struct recoding {
    const sv_recode_source *s;
    const sv_kernels *k;
    sv_type type;
    uint64_t piece_rows, first;   /* first row of the batch                */
    int measure;
    float *floats;                /* [n_threads][2][piece_rows * n_in]     */
    uint8_t *out;                 /* the batch                             */
    sv_recode_error *errors;      /* [pieces of the batch]                 */
    unsigned char *bad;           /* [pieces of the batch]                 */
} recoding;

/* The source row that becomes row r: within a head, 2i + j comes from j half + i. */
static uint64_t source_row(const sv_recode_source *s, uint64_t r)
{
    if (!s->head_rows)
        return r;
    uint64_t in_head = r % s->head_rows;
    return r - in_head + in_head % 2 * (s->head_rows / 2) + in_head / 2;
}

static int holds(const float *x, size_t n, sv_type type)
{
    float limit = type == SV_F32 || type == SV_BF16 ? INFINITY : 65520.0f;
    int good = 1;
    for (size_t i = 0; i < n; i++)
        good &= fabsf(x[i]) < limit;            /* false for NaN */
    return good;
}

static sv_recode_error measure(const float *x, const float *y, size_t n)
{
    sv_recode_error e = { 0, 0 };
    for (size_t i = 0; i < n; i++) {
        double off = (double)x[i] - (double)y[i];
        e.error += off * off;
        e.energy += (double)x[i] * (double)x[i];
    }
    return e;
}

static void recode_piece(void *arg, int task, int thread)
{
    const recoding *r = arg;
    const sv_recode_source *s = r->s;
    uint64_t at = r->first + (uint64_t)task * r->piece_rows;
    uint64_t n_rows = s->n_rows - at < r->piece_rows ? s->n_rows - at : r->piece_rows;
    size_t n_in = (size_t)s->n_in, n = (size_t)n_rows * n_in,
           row_bytes = sv_type_bytes(s->type, n_in);
    float *x = r->floats + (size_t)thread * 2 * (size_t)r->piece_rows * n_in;
    uint8_t *out = r->out + sv_type_bytes(r->type, (size_t)task * (size_t)r->piece_rows * n_in);
    if (!s->head_rows)
        r->k->dequant[s->type](x, s->data + at * row_bytes, n);
    for (uint64_t i = 0; s->head_rows && i < n_rows; i++)
        r->k->dequant[s->type](x + i * n_in, s->data + source_row(s, at + i) * row_bytes, n_in);
    r->bad[task] = !holds(x, n, r->type);
    if (r->bad[task])
        return;
    sv_quantize(out, x, n, r->type);
    if (r->measure) {
        float *y = x + (size_t)r->piece_rows * n_in;
        r->k->dequant[r->type](y, out, n);
        r->errors[task] = measure(x, y, n);
    }
}

static svlm_status recode_all(recoding *r, sv_gguf_writer *w, int n_threads,
                              sv_recode_error *measured, svlm_error *err)
{
    const sv_recode_source *s = r->s;
    sv_recode_error sum = { 0, 0 };
    uint64_t batch_rows = r->piece_rows * (uint64_t)n_threads * PIECES_PER_THREAD;
    for (; r->first < s->n_rows; r->first += batch_rows) {
        uint64_t n_rows = s->n_rows - r->first < batch_rows ? s->n_rows - r->first : batch_rows;
        int n_pieces = (int)((n_rows + r->piece_rows - 1) / r->piece_rows);
        sv_parallel(n_threads, n_pieces, recode_piece, r);
        for (int i = 0; i < n_pieces; i++) {
            if (r->bad[i])
                return sv_fail(err, SVLM_ERR_FORMAT,
                               "tensor %s: rows from %" PRIu64 " on hold NaN, infinity or "
                               "values too large for %s",
                               s->name, r->first + (uint64_t)i * r->piece_rows,
                               sv_type_get(r->type)->name);
            sum.error += r->errors[i].error;
            sum.energy += r->errors[i].energy;
        }
        svlm_status st =
            sv_gguf_write(w, r->out, sv_type_bytes(r->type, (size_t)(n_rows * s->n_in)), err);
        if (st)
            return st;
    }
    if (measured)
        *measured = sum;
    return SVLM_OK;
}

svlm_status sv_recode(sv_gguf_writer *w, const sv_recode_source *s, sv_type type, int n_threads,
                      sv_recode_error *measured, svlm_error *err)
{
    svlm_status st;
    if (s->n_in > MAX_ROW)
        return sv_fail(err, SVLM_ERR_LIMIT, "tensor %s: rows of %" PRIu64 " values are too long",
                       s->name, s->n_in);
    recoding r = { .s = s, .k = sv_kernels_get(), .type = type, .measure = measured != NULL };
    r.piece_rows = s->n_in < PIECE ? PIECE / s->n_in : 1;
    size_t n = (size_t)(r.piece_rows * s->n_in), n_pieces = (size_t)n_threads * PIECES_PER_THREAD;
    r.floats = sv_malloc(SV_MEM_TEMP, n * 2 * (size_t)n_threads, sizeof *r.floats);
    r.out = sv_malloc(SV_MEM_TEMP, n * n_pieces, sizeof(float));
    r.errors = sv_calloc(SV_MEM_TEMP, n_pieces, sizeof *r.errors);
    r.bad = sv_calloc(SV_MEM_TEMP, n_pieces, 1);
    if (r.floats && r.out && r.errors && r.bad)
        st = recode_all(&r, w, n_threads, measured, err);
    else
        st = sv_fail(err, SVLM_ERR_NOMEM, "no memory to recode tensor %s", s->name);
    sv_free(r.bad);
    sv_free(r.errors);
    sv_free(r.out);
    sv_free(r.floats);
    return st;
}
