/* SPDX-License-Identifier: MIT */
/* VisionZip (arXiv 2412.04467): the rows the tower's class row attends to most stay
 * (54 of 64); the others are merged into the rest of the budget: anchors at even
 * steps, each other row joins the anchor with the most similar key. The published
 * code merges before the projector, adding the mean of the joined rows to the
 * anchor; a hook sees rows after it, where a sum would be out of scale, so here a
 * merged row is the mean of all its members. */
#include <math.h>
#include <string.h>

#include "prune/pruner.h"

static float similarity(const svlm_reduce_view *v, const sv_kernels *k, int i, int j)
{
    const float *x = v->keys + (size_t)i * (size_t)v->key_width;
    const float *y = v->keys + (size_t)j * (size_t)v->key_width;
    float norm = sqrtf(k->dot_f32(x, x, v->key_width)) * sqrtf(k->dot_f32(y, y, v->key_width));
    float s = k->dot_f32(x, y, v->key_width) / norm;
    return isnan(s) ? -1 : s;
}

/* Rows that are neither kept nor separators; anchors are every step-th of them. */
static void join_anchors(const sv_pruner *p, const svlm_reduce_view *v, sv_stage *s, int n_anchors)
{
    for (int i = 0; i < v->n_rows; i++)
        if (!s->kept[i] && v->cells[i].x >= 0)
            s->recycled[s->n_recycled++] = i;
    s->n_merged = n_anchors < s->n_recycled ? n_anchors : s->n_recycled;
    for (int c = 0; c < s->n_merged; c++)
        s->centre[c] = c * (s->n_recycled / s->n_merged);
    for (int i = 0; i < s->n_recycled; i++) {
        float most = -2;
        for (int c = 0; c < s->n_merged; c++) {
            float x = similarity(v, p->k, s->recycled[i], s->recycled[s->centre[c]]);
            if (x > most) {
                most = x;
                s->assign[i] = c;
            }
        }
    }
    for (int c = 0; c < s->n_merged; c++)
        s->assign[s->centre[c]] = c;
}

static void merge(const sv_pruner *p, const svlm_reduce_view *v, sv_stage *s)
{
    size_t width = (size_t)v->n_embd;
    memset(s->merged, 0, (size_t)s->n_merged * width * sizeof *s->merged);
    for (int i = 0; i < s->n_recycled; i++)
        p->k->add_f32(s->merged + (size_t)s->assign[i] * width,
                      v->rows + (size_t)s->recycled[i] * width, v->n_embd);
    for (int c = 0; c < s->n_merged; c++) {
        int n = 0;
        for (int i = 0; i < s->n_recycled; i++)
            n += s->assign[i] == c;
        p->k->scale_f32(s->merged + (size_t)c * width, 1 / (float)n, v->n_embd);
        s->merged_image[c] = v->image;
        s->merged_position[c] = s->recycled[s->centre[c]];
    }
}

svlm_status sv_visionzip_reduce(sv_pruner *p, const svlm_reduce_view *v, int k, sv_stage *s)
{
    if (!v->class_attention || !v->keys)
        return SVLM_ERR_ARG;                    /* needs_class_attention was not heeded */
    sv_arena a = { 0 };
    int32_t *order = NULL;
    for (int pass = 0; pass < 2; pass++) {
        order = sv_take(&a, (size_t)v->n_rows, sizeof *order);
        svlm_status st = pass ? SVLM_OK : sv_block_fit(&p->work, &a);
        if (st)
            return st;
    }
    int32_t dominant = p->opt.no_recycle ? k : (int32_t)(((int64_t)k * 54 + 32) / 64);
    int n_anchors = k - dominant;
    memcpy(s->score, v->class_attention, (size_t)v->n_rows * sizeof *s->score);
    s->has_score = 1;
    sv_order_by_score(order, s->score, v->n_rows);
    sv_select(s->kept, order, v->n_rows, NULL, &dominant);
    if (n_anchors > 0) {
        join_anchors(p, v, s, n_anchors);
        merge(p, v, s);
    }
    return SVLM_OK;
}
