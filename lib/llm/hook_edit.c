/* SPDX-License-Identifier: MIT */
/* Lists from a hook are checked as if they came from a file; then rows move. */
#include "llm/hook_edit.h"

#include <inttypes.h>

#include "tensor/ops.h"

static svlm_status refuse(int layer, const char *sentence, svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_HOOK, "the hook's edit of layer %d %s", layer, sentence);
}

svlm_status sv_check_list(const char *what, int layer, const int32_t *list, int n, int n_rows,
                          svlm_error *err)
{
    if (n < 0 || n > n_rows || (n && !list))
        return sv_fail(err, SVLM_ERR_HOOK, "the hook's %s of layer %d: %d of %d rows%s", what,
                       layer, n, n_rows, list ? "" : ", without a list");
    for (int i = 0; i < n; i++)
        if (list[i] < 0 || list[i] >= n_rows || (i && list[i] <= list[i - 1]))
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's %s of layer %d: entry %d is %" PRId32
                           ", must be ascending and below %d", what, layer, i, list[i], n_rows);
    return SVLM_OK;
}

static svlm_status check_merged(const float *merged, int n, int n_embd, int layer,
                                svlm_error *err)
{
    if (n < 0 || (n && !merged))
        return sv_fail(err, SVLM_ERR_HOOK, "the hook's merged rows of layer %d: %d of them%s",
                       layer, n, merged ? "" : ", without values");
    for (int i = 0; i < n; i++)
        if (!sv_all_finite(merged + (size_t)i * (size_t)n_embd, (size_t)n_embd))
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's merged row %d of layer %d is not finite",
                           i, layer);
    return SVLM_OK;
}

/* Positions merged rows take, in [from, to). */
static svlm_status check_positions(const int32_t *position, int n, int from, int to, int layer,
                                   svlm_error *err)
{
    if (n && !position)
        return refuse(layer, "keeps positions but gives none for the merged rows", err);
    for (int i = 0; i < n; i++)
        if (position[i] < from || position[i] >= to)
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's merged row %d of layer %d has position"
                           " %" PRId32 ", must be %d to %d", i, layer, position[i], from, to - 1);
    return SVLM_OK;
}

svlm_status sv_check_reduction(const svlm_reduce_view *v, const svlm_reduction *r,
                               svlm_error *err)
{
    svlm_status st;
    if ((r->keep && (st = sv_check_list("kept rows", -1, r->keep, r->n_keep, v->n_rows, err))) ||
        (st = check_merged(r->merged, r->n_merged, v->n_embd, -1, err)))
        return st;
    return r->renumber ? SVLM_OK
                       : check_positions(r->merged_position, r->n_merged, 0, v->n_rows, -1, err);
}

/* Text stays, and nothing unfinished does. */
static svlm_status check_keep(const sv_session *s, int layer, const svlm_edit *e,
                              svlm_error *err)
{
    const sv_rows *r = &s->rows;
    svlm_status st = SVLM_OK;
    if (e->keep && (st = sv_check_list("kept rows", layer, e->keep, e->n_keep, r->n, err)))
        return st;
    for (int i = 0, at = 0; i < r->n; i++) {
        int kept = !e->keep || (at < e->n_keep && e->keep[at] == i);
        at += kept;
        if (!kept && r->kind[i] == SVLM_ROW_TEXT)
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's edit of layer %d drops row %d, which is"
                           " text", layer, i);
        if (kept && s->unused[i])
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's edit of layer %d keeps row %d, which its"
                           " drop had named as unused", layer, i);
    }
    return SVLM_OK;
}

static int image_of(const svlm_edit *e, int merged)
{
    return e->merged_image ? e->merged_image[merged] : 0;
}

/* A merged row needs a row of its picture among those entering to stand by. */
static svlm_status check_merged_images(const sv_session *s, const sv_turn *t, int layer,
                                       const svlm_edit *e, svlm_error *err)
{
    for (int j = 0; j < e->n_merged; j++) {
        int image = image_of(e, j), there = 0;
        if (j && image == image_of(e, j - 1))
            continue;
        for (int i = 0; i < s->rows.n && !there; i++)
            there = image >= 0 && s->rows.image[i] == image;
        if (!there)
            return sv_fail(err, SVLM_ERR_HOOK, "the hook's merged row %d of layer %d belongs to"
                           " picture %d of %d, which has no rows here", j, layer, image,
                           t->n_images);
    }
    return SVLM_OK;
}

svlm_status sv_check_edit(const sv_session *s, const sv_turn *t, int layer, const svlm_edit *e,
                          svlm_error *err)
{
    svlm_status st;
    int base = s->past_position[layer];
    if ((st = check_keep(s, layer, e, err)) ||
        (st = check_merged(e->merged, e->n_merged, s->m->n_embd, layer, err)) ||
        (st = check_merged_images(s, t, layer, e, err)) ||
        (!e->renumber && (st = check_positions(e->merged_position, e->n_merged, base,
                                               base + s->rows.span, layer, err))))
        return st;
    int64_t n = (e->keep ? e->n_keep : s->rows.n) + (int64_t)e->n_merged;
    if (n < 1)
        return refuse(layer, "leaves no row at all", err);
    if (n > t->room)
        return refuse(layer, "makes more rows than the context has room for", err);
    return SVLM_OK;
}

/* ---- moving rows ----------------------------------------------------------- */

static void move_row(sv_session *s, int to, int from)
{
    sv_rows *r = &s->rows;
    size_t n = (size_t)s->m->n_embd;
    if (to == from)
        return;
    memcpy(r->hidden + (size_t)to * n, r->hidden + (size_t)from * n, n * sizeof(float));
    r->kind[to] = r->kind[from];
    r->question[to] = r->question[from];
    r->image[to] = r->image[from];
    r->origin[to] = r->origin[from];
    r->token[to] = r->token[from];
    r->place[to] = r->place[from];
}

static void put_merged(sv_session *s, int to, const svlm_edit *e, int merged, int base)
{
    sv_rows *r = &s->rows;
    size_t n = (size_t)s->m->n_embd;
    memcpy(r->hidden + (size_t)to * n, e->merged + (size_t)merged * n, n * sizeof(float));
    r->kind[to] = SVLM_ROW_MERGED;
    r->question[to] = 0;
    r->image[to] = image_of(e, merged);
    r->origin[to] = r->token[to] = -1;
    r->place[to] = e->renumber ? to : e->merged_position[merged] - base;
}

static int is_kept(const svlm_edit *e, int at, int row)
{
    return !e->keep || (at < e->n_keep && e->keep[at] == row);
}

/* What the rows that go on are made of, in their new order: order[i] >= 0: kept row
 * number order[i]; else merged row -1 - order[i]. A picture's rows are one stretch,
 * so its merged rows are due where it ends, or its last kept row lies. */
static int new_order(const sv_rows *r, const svlm_edit *e, int32_t *order)
{
    int n = 0, kept = 0;
    for (int i = 0; i < r->n;) {
        int image = r->image[i];
        for (; i < r->n && r->image[i] == image; i++)
            if (is_kept(e, kept, i))
                order[n++] = kept++;
        for (int j = 0; image >= 0 && j < e->n_merged; j++)
            if (image_of(e, j) == image)
                order[n++] = -1 - j;
    }
    return n;
}

void sv_apply_edit(sv_session *s, int layer, const svlm_edit *e)
{
    sv_rows *r = &s->rows;
    int32_t *order = s->live;     /* not needed any more in this layer */
    int n = new_order(r, e, order), n_keep = n - e->n_merged;
    for (int i = 0; e->keep && i < n_keep; i++)
        move_row(s, i, e->keep[i]);
    for (int i = n - 1; i >= 0; i--) {             /* from the end: kept rows only move up */
        if (order[i] >= 0)
            move_row(s, i, order[i]);
        else
            put_merged(s, i, e, -1 - order[i], s->past_position[layer]);
    }
    r->n = n;
    if (e->renumber) {
        for (int i = 0; i < n; i++)
            r->place[i] = i;
        r->span = n;
    }
}
