/* SPDX-License-Identifier: MIT */
/* The memory of a decision. It grows to the largest one so far and is laid out anew
 * for each, so a second prefill of the same shape allocates nothing. */
#include <string.h>

#include "base/alloc.h"
#include "prune/pruner.h"

svlm_status sv_block_fit(sv_block *b, sv_arena *a)
{
    size_t need = a->used;
    if (a->overflow)
        return SVLM_ERR_NOMEM;
    if (need > b->size) {
        sv_free(b->p);
        b->p = sv_malloc(SV_MEM_HOOK, need, 1);
        b->size = b->p ? need : 0;
        if (!b->p)
            return SVLM_ERR_NOMEM;
    }
    *a = (sv_arena){ .base = b->p, .size = b->size };
    return SVLM_OK;
}

static void lay_out(sv_stage *s, sv_arena *a, const sv_stage_size *d)
{
    size_t n = (size_t)d->n_in, m = (size_t)d->max_merged, images = (size_t)d->n_images;
    size_t singular = (size_t)(d->n_query < d->n_in ? d->n_query : d->n_in);
    s->row             = sv_take(a, n, sizeof *s->row);
    s->in_image        = sv_take(a, n, sizeof *s->in_image);
    s->in_origin       = sv_take(a, n, sizeof *s->in_origin);
    s->kept            = sv_take(a, n, sizeof *s->kept);
    s->score           = sv_take(a, n, sizeof *s->score);
    s->keep            = sv_take(a, n, sizeof *s->keep);
    s->recycled        = sv_take(a, n, sizeof *s->recycled);
    s->assign          = sv_take(a, n, sizeof *s->assign);
    s->density         = sv_take(a, n, sizeof *s->density);
    s->centre          = sv_take(a, m, sizeof *s->centre);
    s->merged          = sv_take(a, m, (size_t)d->width * sizeof *s->merged);
    s->merged_image    = sv_take(a, m, sizeof *s->merged_image);
    s->merged_position = sv_take(a, m, sizeof *s->merged_position);
    s->pool_end        = sv_take(a, images, sizeof *s->pool_end);
    s->cluster_end     = sv_take(a, images, sizeof *s->cluster_end);
    s->rows_out        = sv_take(a, (size_t)d->n_rows, sizeof *s->rows_out);
    s->singular        = sv_take(a, singular, sizeof *s->singular);
    s->heads           = sv_take(a, (size_t)d->n_heads, sizeof *s->heads);
    s->head_sums       = sv_take(a, (size_t)d->n_heads, sizeof *s->head_sums);
}

svlm_status sv_stage_fit(sv_stage *s, const sv_stage_size *size)
{
    sv_arena a = { 0 };
    svlm_status st;
    *s = (sv_stage){ .memory = s->memory, .n_in = size->n_in, .rank = -1 };
    lay_out(s, &a, size);
    if ((st = sv_block_fit(&s->memory, &a)))
        return st;
    lay_out(s, &a, size);
    memset(s->kept, 0, (size_t)size->n_in);
    return SVLM_OK;
}

void sv_stage_list_kept(sv_stage *s)
{
    s->n_keep = 0;
    for (int i = 0; i < s->n_in; i++)
        if (s->kept[i])
            s->keep[s->n_keep++] = i;
}

svlm_prune_stage sv_stage_report(const sv_stage *s, int by_attention)
{
    return (svlm_prune_stage){
        .layer = s->layer, .n_in = s->n_in, .in_image = s->in_image, .in_origin = s->in_origin,
        .score = s->has_score ? s->score : NULL, .n_keep = s->n_keep, .keep = s->keep,
        .n_recycled = s->n_recycled, .recycled = s->recycled, .assign = s->assign,
        .density = by_attention ? s->density : NULL,
        .n_merged = s->n_merged, .centre = s->centre, .rank = s->rank,
        .n_singular = s->n_singular, .singular = s->singular,
        .n_heads = s->n_heads, .heads = s->heads, .head_sums = s->head_sums,
    };
}

svlm_status sv_stages_reserve(sv_pruner *p, int n)
{
    if (n <= p->cap_stages)
        return SVLM_OK;
    size_t had = (size_t)p->cap_stages, want = (size_t)n;
    sv_stage *stages = sv_realloc(SV_MEM_HOOK, p->stages, want, sizeof *stages);
    if (!stages)
        return SVLM_ERR_NOMEM;
    memset(stages + had, 0, (want - had) * sizeof *stages);
    p->stages = stages;
    svlm_prune_stage *report = sv_realloc(SV_MEM_HOOK, p->report, want, sizeof *report);
    if (!report)
        return SVLM_ERR_NOMEM;
    p->report = report;
    p->cap_stages = n;
    return SVLM_OK;
}
