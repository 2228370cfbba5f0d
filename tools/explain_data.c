/* SPDX-License-Identifier: MIT */
/* From a pruner's report to views, words and the fate of every patch. */
#include <math.h>
#include <stdlib.h>

#include "explain.h"

static int no_memory(void)
{
    cli_note("no memory to explain this");
    return CLI_FAILED;
}

/* ---- views ----------------------------------------------------------------- */

/* The cells of one tile of a picture; 0: it has none. */
static int find_view(view *v, const svlm_features *features, int tile)
{
    int n = svlm_features_n_rows(features), x1 = -1, y1 = -1;
    v->cells = svlm_features_cells(features);
    v->tile = tile;
    v->x0 = v->y0 = INT16_MAX;
    for (int row = 0; row < n; row++) {
        const svlm_cell *c = &v->cells[row];
        if (c->tile != tile || c->x < 0)
            continue;
        v->x0 = c->x < v->x0 ? c->x : v->x0;
        v->y0 = c->y < v->y0 ? c->y : v->y0;
        x1 = c->x > x1 ? c->x : x1;
        y1 = c->y > y1 ? c->y : y1;
    }
    v->cols = x1 - v->x0 + 1;
    v->rows = y1 - v->y0 + 1;
    return x1 >= 0;
}

static int make_views(explain *e)
{
    svlm_model_info info;
    SVLM_INIT(&info);
    svlm_model_get_info(e->model, &info);
    if (!(e->views = calloc((size_t)e->n_images * 2, sizeof *e->views)))
        return no_memory();
    for (int i = 0; i < e->n_images; i++)
        for (int tile = 0; tile < 2; tile++) {
            view *v = &e->views[e->n_views];
            v->image = e->images[i];
            v->picture = i;
            v->on_square = !info.is_anyres;     /* tiles cover just the picture */
            e->n_views += find_view(v, e->pictures.picture[i].features, tile);
        }
    return CLI_OK;
}

/* ---- words ----------------------------------------------------------------- */

/* Token by token, so that each word knows its text: what an answer of one token more
 * shows beyond an answer without it. */
static int make_words(explain *e)
{
    const svlm_prune_report *r = &e->report;
    svlm_error err;
    double highest = 0;
    size_t n = 0, total = 0;
    if (!r->n_text)
        return CLI_OK;
    if (svlm_detokenize(e->model, r->text_token, (size_t)r->n_text, NULL, 0, &total, &err))
        return cli_fail(&err);
    e->words = calloc((size_t)r->n_text, sizeof *e->words);
    e->text = malloc(total + 1);
    if (!e->words || !e->text)
        return no_memory();
    svlm_detokenize(e->model, r->text_token, (size_t)r->n_text, e->text, total, &total, &err);
    for (int i = 0; i < r->n_text; i++) {
        size_t before = n;
        svlm_detokenize(e->model, r->text_token, (size_t)i + 1, NULL, 0, &n, &err);
        n = n < total ? n : total;
        e->words[i].text = e->text + before;
        e->words[i].n = n > before ? n - before : 0;
        highest = r->rater_score[i] > highest ? r->rater_score[i] : highest;
    }
    for (int i = 0; i < r->n_text; i++)
        e->words[i].weight = highest > 0 ? r->rater_score[i] / highest : 0;
    for (int i = 0; i < r->n_raters; i++)
        e->words[r->raters[i]].is_rater = 1;
    return CLI_OK;
}

/* ---- fates ----------------------------------------------------------------- */

static int make_fates(explain *e)
{
    if (!(e->fates = calloc((size_t)e->n_images, sizeof *e->fates)))
        return no_memory();
    for (int i = 0; i < e->n_images; i++) {
        fates *f = &e->fates[i];
        f->n_rows = svlm_features_n_rows(e->pictures.picture[i].features);
        f->fate = malloc((size_t)f->n_rows * sizeof *f->fate);
        f->merged = calloc((size_t)f->n_rows, sizeof *f->merged);
        f->score = malloc((size_t)f->n_rows * sizeof *f->score);
        if (!f->fate || !f->merged || !f->score)
            return no_memory();
        for (int row = 0; row < f->n_rows; row++)
            f->fate[row] = KEPT;
    }
    return CLI_OK;
}

int explain_prepare(explain *e)
{
    int rc = make_views(e);
    if (!rc && !(rc = make_words(e)))
        rc = make_fates(e);
    return rc;
}

/* The picture row behind row i of a stage, NULL for a merged one. */
static fates *row_of(explain *e, const svlm_prune_stage *s, int i, int *row)
{
    int picture = s->in_image[i];
    *row = s->in_origin[i];
    return *row >= 0 && picture >= 0 && picture < e->n_images ? &e->fates[picture] : NULL;
}

/* Before the first layer each picture has a stage of its own; later all are in one, and
 * a row that is not there any more has gone. */
static void forget(explain *e, const svlm_prune_stage *s)
{
    for (int i = 0; i < e->n_images; i++) {
        int is_there = s->layer >= 0;
        for (int k = 0; k < s->n_in && !is_there; k++)
            is_there = s->in_image[k] == i;
        for (int row = 0; row < e->fates[i].n_rows; row++) {
            e->fates[i].score[row] = -1;
            if (is_there)
                e->fates[i].fate[row] = GONE;
        }
    }
}

/* Fourth roots: attention is spread so unevenly that plain shares would leave one bright
 * patch on a dark field. */
static void put_scores(explain *e, const svlm_prune_stage *s)
{
    double lowest = 1e300, highest = -1e300;
    for (int i = 0; s->score && i < s->n_in; i++) {
        lowest = s->score[i] < lowest ? s->score[i] : lowest;
        highest = s->score[i] > highest ? s->score[i] : highest;
    }
    for (int i = 0, row; s->score && i < s->n_in; i++) {
        fates *f = row_of(e, s, i, &row);
        if (f && highest > lowest)
            f->score[row] = pow((s->score[i] - lowest) / (highest - lowest), 0.25);
        else if (f)
            f->score[row] = 0;
    }
}

void explain_stage(explain *e, int k)
{
    const svlm_prune_stage *s = &e->report.stages[k];
    fates *f;
    int row;
    forget(e, s);
    for (int i = 0; i < s->n_in; i++)
        if ((f = row_of(e, s, i, &row)))
            f->fate[row] = DROPPED;
    for (int i = 0; i < s->n_keep; i++)
        if ((f = row_of(e, s, s->keep[i], &row)))
            f->fate[row] = KEPT;
    for (int i = 0; i < s->n_recycled; i++)
        if ((f = row_of(e, s, s->recycled[i], &row))) {
            f->fate[row] = MERGED;
            f->merged[row] = s->assign[i];
        }
    put_scores(e, s);
}
