/* SPDX-License-Identifier: MIT */
/* One decision, as soon as the layer's attention is known: scores, how many stay,
 * which, and which of the others are pooled for recycling. */
#include <stdlib.h>

#include "prune/pruner.h"

typedef struct desk {
    double *mean, *singular_work; /* [n_query][n_in]                       */
    double *sigma;                /* [min(n_query, n_in)]                  */
    double *factor;               /* [n_query][n_in], sparsevlm+           */
    double *gravity;              /* [n_apart], sparsevlm+                 */
    int32_t *order;               /* [n_in] by falling score               */
    int32_t *head_order;          /* [n_heads]                             */
    int32_t *quota;               /* [n_images]                            */
    int n_apart;
} desk;

static void lay_out(desk *d, sv_arena *a, const sv_pruner *p, const svlm_view *v, int n_in)
{
    size_t n = (size_t)n_in, q = (size_t)v->n_query;
    size_t plus = p->opt.method == SVLM_PRUNE_SPARSEVLM_PLUS;
    d->mean          = sv_take(a, n, q * sizeof *d->mean);
    d->singular_work = sv_take(a, n, q * sizeof *d->singular_work);
    d->sigma         = sv_take(a, n < q ? n : q, sizeof *d->sigma);
    d->factor        = sv_take(a, n, plus * q * sizeof *d->factor);
    d->gravity       = sv_take(a, (size_t)d->n_apart, plus * sizeof *d->gravity);
    d->order         = sv_take(a, n, sizeof *d->order);
    d->head_order    = sv_take(a, (size_t)v->n_heads, sizeof *d->head_order);
    d->quota         = sv_take(a, (size_t)v->n_images, sizeof *d->quota);
}

static svlm_status make_room(sv_pruner *p, const svlm_view *v, sv_stage *s, desk *d)
{
    sv_stage_size size = { 0, v->n_rows, v->n_images, 0, v->n_embd, v->n_query, v->n_heads };
    int least = 0, most = 0;
    for (int i = 0; i < v->n_rows; i++) {
        size.n_in += sv_is_visual(v->kind[i]);
        least = v->position[i] < least || i == 0 ? v->position[i] : least;
        most = v->position[i] > most || i == 0 ? v->position[i] : most;
    }
    /* Each picture has a pool and clusters of its own; both are rounded up by one. */
    size.max_merged = sv_recycles(&p->opt, size.n_in)
                    ? sv_cluster_count(sv_pool_size(size.n_in)) + 2 * v->n_images : 0;
    svlm_status st = sv_stage_fit(s, &size);
    if (st)
        return st;
    sv_arena a = { 0 };
    *d = (desk){ .n_apart = most - least + 1 };
    lay_out(d, &a, p, v, size.n_in);
    if ((st = sv_block_fit(&p->work, &a)))
        return st;
    lay_out(d, &a, p, v, size.n_in);
    return SVLM_OK;
}

static void gather(const sv_pruner *p, const svlm_view *v, sv_stage *s)
{
    s->layer = v->layer;
    for (int i = 0, n = 0; i < v->n_rows; i++) {
        if (!sv_is_visual(v->kind[i]))
            continue;
        s->row[n] = i;
        s->in_image[n] = v->image[i];
        s->in_origin[n] = v->origin[i];
        s->kept[n++] = v->kind[i] == SVLM_ROW_SEPARATOR && p->opt.keep_separators;
    }
}

/* Probabilities are divided by the pull that rotary embedding has on that distance. */
static void fill_factor(const sv_pruner *p, const svlm_view *v, const sv_stage *s, desk *d)
{
    sv_gravity(d->gravity, d->n_apart, v->head_dim, v->rope_base, !p->opt.compat);
    for (int q = 0; q < v->n_query; q++)
        for (int i = 0; i < s->n_in; i++) {
            int apart = abs(v->position[v->query[q]] - v->position[s->row[i]]);
            d->factor[(size_t)q * (size_t)s->n_in + (size_t)i] = 1 / d->gravity[apart];
        }
}

/* Published: the 14 best of 28 heads, written for no model in particular; 14 of 32 in
 * proportion elsewhere. */
static int n_priority_heads(const svlm_prune_options *o, int all)
{
    int n = o->n_heads ? o->n_heads : o->compat ? 14 : (7 * all + 15) / 16;
    return n < all ? n : all;
}

static void choose_heads(const sv_pruner *p, const sv_attention *at, sv_stage *s, desk *d)
{
    int n = n_priority_heads(&p->opt, at->n_heads);
    sv_head_sums(s->head_sums, at);
    sv_order_by_score(d->head_order, s->head_sums, at->n_heads);
    for (int h = 0; h < at->n_heads; h++)
        for (int i = 0; i < n; i++)
            if (d->head_order[i] == h)
                s->heads[s->n_heads++] = h;
}

static void score(const sv_pruner *p, const svlm_view *v, sv_stage *s, desk *d)
{
    sv_attention at = { v->attention, v->n_heads, v->n_query, v->n_rows, s->row, s->n_in, NULL };
    if (p->opt.method == SVLM_PRUNE_SPARSEVLM_PLUS) {
        fill_factor(p, v, s, d);
        at.factor = d->factor;
        choose_heads(p, &at, s, d);
        sv_mean_over_heads(d->mean, &at, s->heads, s->n_heads);
    } else {
        sv_mean_over_heads(d->mean, &at, NULL, v->n_heads);
    }
    sv_mean_over_queries(s->score, d->mean, &at, v->query);
    s->has_score = 1;
    sv_order_by_score(d->order, s->score, s->n_in);
}

static void find_rank(sv_stage *s, desk *d, int n_query)
{
    s->n_singular = n_query < s->n_in ? n_query : s->n_in;
    sv_singular_values(d->sigma, d->mean, n_query, s->n_in, d->singular_work);
    s->rank = sv_numerical_rank(d->sigma, n_query, s->n_in);
    for (int i = 0; i < s->n_singular; i++)
        s->singular[i] = (float)d->sigma[i];
}

static int how_many(const sv_pruner *p, const sv_stage *s, const desk *d)
{
    switch (p->opt.method) {
    case SVLM_PRUNE_RANK:
        return sv_rank_keep(&p->opt, s->rank, s->n_in);
    case SVLM_PRUNE_PAPER:
        return sv_paper_keep(p->schedule.lambda, s->rank, s->n_in);
    case SVLM_PRUNE_ENERGY:
        return sv_energy_keep(&p->opt, d->order, s->score, s->n_in);
    default:
        return sv_list_keep(&p->opt, p->schedule.keep[p->next], s->n_in);
    }
}

/* The best of each picture's pruned rows, by falling score. */
static void pool(const sv_pruner *p, const svlm_view *v, sv_stage *s, const desk *d)
{
    for (int image = 0; image < v->n_images; image++) {
        int n_pruned = 0, left = 0;
        for (int i = 0; i < s->n_in; i++)
            n_pruned += !s->kept[i] && s->in_image[i] == image;
        if (n_pruned && sv_recycles(&p->opt, n_pruned)) {
            left = sv_pool_size(n_pruned);
            s->n_merged += sv_cluster_count(left);
        }
        for (int i = 0; i < s->n_in && left > 0; i++) {
            int row = d->order[i];
            if (s->kept[row] || s->in_image[row] != image)
                continue;
            s->recycled[s->n_recycled++] = row;
            left--;
        }
        s->pool_end[image] = s->n_recycled;
        s->cluster_end[image] = s->n_merged;
    }
}

svlm_status sv_stage_decide(sv_pruner *p, const svlm_view *v)
{
    sv_stage *s = &p->stages[p->n_stages];
    desk d;
    svlm_status st = make_room(p, v, s, &d);
    if (st)
        return st;
    gather(p, v, s);
    score(p, v, s, &d);
    if (p->opt.method == SVLM_PRUNE_RANK || p->opt.method == SVLM_PRUNE_PAPER)
        find_rank(s, &d, v->n_query);
    int k = how_many(p, s, &d);
    if (p->opt.per_image)
        sv_share(d.quota, k, p->image_rows, v->n_images);
    else
        d.quota[0] = k;
    if (k >= s->n_in)
        for (int i = 0; i < s->n_in; i++)
            s->kept[i] = 1;
    sv_select(s->kept, d.order, s->n_in, p->opt.per_image ? s->in_image : NULL, d.quota);
    sv_stage_list_kept(s);
    pool(p, v, s, &d);
    p->decided = 1;
    return SVLM_OK;
}

int sv_stage_unused(sv_stage *s)
{
    uint8_t *needed = s->kept;    /* the list of the kept has been made */
    int n = 0;
    for (int i = 0; i < s->n_recycled; i++)
        needed[s->recycled[i]] = 1;
    for (int i = 0; i < s->n_in; i++)
        if (!needed[i])
            s->rows_out[n++] = s->row[i];
    return n;
}
