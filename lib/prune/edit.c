/* SPDX-License-Identifier: MIT */
/* After the layer: what was pooled is merged, and the engine learns which rows go on. */
#include "prune/pruner.h"

/* The pool of one picture becomes its clusters; both are parts of the stage's lists. */
static void merge_image(const sv_pruner *p, const svlm_view *v, sv_stage *s, int image,
                        int32_t *member, float *work)
{
    int first = image ? s->pool_end[image - 1] : 0, n = s->pool_end[image] - first;
    int cluster = image ? s->cluster_end[image - 1] : 0;
    int n_clusters = s->cluster_end[image] - cluster;
    if (n_clusters == 0)
        return;
    for (int i = 0; i < n; i++)
        member[i] = s->row[s->recycled[first + i]];
    sv_pool pool = { v->hidden, v->n_embd, member, n, n_clusters, s->density + first,
                     s->centre + cluster, s->assign + first,
                     s->merged + (size_t)cluster * (size_t)v->n_embd };
    sv_cluster(&pool, work, p->k);
    for (int i = first; i < first + n; i++)
        s->assign[i] += cluster;
    for (int c = cluster; c < cluster + n_clusters; c++) {
        s->centre[c] += first;
        s->merged_image[c] = image;
        s->merged_position[c] = v->position[s->row[s->recycled[s->centre[c]]]];
    }
}

static svlm_status merge(sv_pruner *p, const svlm_view *v, sv_stage *s)
{
    int largest = 0;
    for (int i = 0; i < v->n_images; i++) {
        int n = s->pool_end[i] - (i ? s->pool_end[i - 1] : 0);
        largest = n > largest ? n : largest;
    }
    sv_arena a = { 0 };
    int32_t *member = NULL;
    float *work = NULL;
    for (int pass = 0; pass < 2; pass++) {
        member = sv_take(&a, (size_t)largest, sizeof *member);
        work = sv_take(&a, sv_cluster_work(largest, v->n_embd), sizeof *work);
        svlm_status st = pass ? SVLM_OK : sv_block_fit(&p->work, &a);
        if (st)
            return st;
    }
    for (int i = 0; i < v->n_images; i++)
        merge_image(p, v, s, i, member, work);
    return SVLM_OK;
}

/* All text, and the visual rows kept. */
static int list_rows(const svlm_view *v, sv_stage *s)
{
    int n = 0, kept = 0;
    for (int i = 0; i < v->n_rows; i++) {
        int visual = sv_is_visual(v->kind[i]);
        if (!visual || (kept < s->n_keep && s->row[s->keep[kept]] == i))
            s->rows_out[n++] = i;
        if (visual && kept < s->n_keep && s->row[s->keep[kept]] == i)
            kept++;
    }
    return n;
}

svlm_status sv_stage_edit(sv_pruner *p, const svlm_view *v, svlm_edit *edit)
{
    sv_stage *s = &p->stages[p->n_stages];
    svlm_status st = merge(p, v, s);
    if (st)
        return st;
    if (s->n_keep < s->n_in) {
        edit->n_keep = list_rows(v, s);
        edit->keep = s->rows_out;
        edit->n_merged = s->n_merged;
        edit->merged = s->merged;
        edit->merged_image = s->merged_image;
        edit->merged_position = s->merged_position;
        edit->renumber = p->compact;
    }
    p->report[p->n_stages++] = sv_stage_report(s, 1);
    return SVLM_OK;
}
