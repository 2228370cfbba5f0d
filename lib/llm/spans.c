/* SPDX-License-Identifier: MIT */
/* Where a turn's visual rows come from: one span for each grid of each picture, and
 * one for what was merged from it. How many rows of each enter each layer. */
#include "llm/turn.h"

#include "base/alloc.h"

static int n_grids(const svlm_cell *cells, int n_rows)
{
    int n = 1;
    for (int i = 0; i < n_rows; i++)
        if (cells[i].tile >= n)
            n = cells[i].tile + 1;
    return n;
}

void sv_spans_free(sv_session *s)
{
    sv_free(s->spans);
    sv_free(s->span_in);
    s->spans = NULL;
    s->span_in = NULL;
    s->n_spans = 0;
}

static svlm_status reserve(sv_session *s, int64_t n, svlm_error *err)
{
    sv_spans_free(s);
    s->spans = sv_calloc(SV_MEM_CHAT, (size_t)n, sizeof *s->spans);
    s->span_in = sv_calloc(SV_MEM_CHAT, (size_t)n * (size_t)(s->m->n_layers + 1),
                           sizeof *s->span_in);
    if (!s->spans || !s->span_in)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for counting the rows of %lld pictures",
                       (long long)n);
    return SVLM_OK;
}

static svlm_visual_span *add_span(sv_session *s, int image, int tile)
{
    svlm_visual_span *span = &s->spans[s->n_spans];
    span->image = image;
    span->tile = tile;
    span->rows_in = s->span_in + (size_t)s->n_spans * (size_t)(s->m->n_layers + 1);
    s->n_spans++;
    return span;
}

svlm_status sv_spans_start(sv_session *s, const sv_turn *t, svlm_error *err)
{
    int64_t n = 0;
    for (int i = 0; i < t->n_images; i++)
        n += n_grids(t->cells[i], t->image_rows[i]) + 1;
    svlm_status st = reserve(s, n, err);
    for (int i = 0; i < t->n_images && !st; i++) {
        const svlm_cell *cells = t->cells[i];
        svlm_visual_span *first = s->spans + s->n_spans;
        int n_tiles = n_grids(cells, t->image_rows[i]);
        for (int k = 0; k < n_tiles; k++)
            add_span(s, i, k);
        add_span(s, i, -1);
        for (int k = 0; k < t->image_rows[i]; k++)
            first[cells[k].tile].n_rows++;
    }
    return st;
}

/* Among the spans of the row's picture, of which this is the first. */
static const svlm_visual_span *span_of(const svlm_visual_span *span, const sv_rows *r, int row,
                                       const sv_turn *t)
{
    int origin = r->origin[row];
    int tile = origin < 0 ? -1 : t->cells[r->image[row]][origin].tile;
    while (span->tile != tile)
        span++;
    return span;
}

int sv_spans_count(sv_session *s, const sv_turn *t, int layer)
{
    const sv_rows *r = &s->rows;
    size_t stride = (size_t)s->m->n_layers + 1;
    const svlm_visual_span *first = s->spans;
    int n_visual = 0;
    for (int k = 0; k < s->n_spans; k++)
        s->span_in[(size_t)k * stride + (size_t)layer] = 0;
    for (int i = 0; i < r->n; i++) {
        if (r->kind[i] == SVLM_ROW_TEXT)
            continue;
        while (first->image < r->image[i])      /* pictures are in their order */
            first++;
        const svlm_visual_span *span = span_of(first, r, i, t);
        s->span_in[(size_t)(span - s->spans) * stride + (size_t)layer]++;
        n_visual++;
    }
    return n_visual;
}
