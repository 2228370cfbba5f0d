/* SPDX-License-Identifier: MIT */
/* begin: which text rows judge. Candidates are the rows after the last picture (only
 * they can see all of it), optionally those between pictures, optionally only the
 * user's own words. Text rows are never pruned, so each is found again in any later
 * layer by counting text rows. */
#include "prune/pruner.h"

/* Attention is asked for by head, rater and row: a page of text about a picture would
 * ask for a gigabyte. So only this many judge, the strongest. */
enum { MAX_RATERS = 256 };

static void lay_out(sv_pruner *p, sv_arena *a, size_t n, size_t n_images)
{
    p->text_row     = sv_take(a, n, sizeof *p->text_row);
    p->text_token   = sv_take(a, n, sizeof *p->text_token);
    p->text_ordinal = sv_take(a, n, sizeof *p->text_ordinal);
    p->rater_score  = sv_take(a, n, sizeof *p->rater_score);
    p->raters       = sv_take(a, n, sizeof *p->raters);
    p->rater_order  = sv_take(a, n, sizeof *p->rater_order);
    p->query        = sv_take(a, n, sizeof *p->query);
    p->image_rows   = sv_take(a, n_images, sizeof *p->image_rows);
}

/* Fills the candidates; words: the user's own only. Returns how many. */
static int find_candidates(sv_pruner *p, const svlm_view *v, int words)
{
    int first = -1, last = -1, n = 0, ordinal = 0;
    for (int i = 0; i < v->n_rows; i++)
        if (sv_is_visual(v->kind[i])) {
            first = first < 0 ? i : first;
            last = i;
        }
    for (int i = 0; i < v->n_rows; i++) {
        if (sv_is_visual(v->kind[i]))
            continue;
        int sees = last >= 0 && i > (p->opt.raters_between ? first : last);
        if (sees && (!words || v->question[i])) {
            p->text_row[n] = i;
            p->text_token[n] = v->token[i];
            p->text_ordinal[n++] = ordinal;
        }
        ordinal++;
    }
    return n;
}

static void keep_strongest(sv_pruner *p)
{
    sv_order_by_score(p->rater_order, p->rater_score, p->n_text);
    for (p->n_raters = 0; p->n_raters < MAX_RATERS; p->n_raters++) {
        int32_t rater = p->rater_order[p->n_raters];
        int at = p->n_raters;
        for (; at > 0 && p->raters[at - 1] > rater; at--)
            p->raters[at] = p->raters[at - 1];
        p->raters[at] = rater;
    }
}

static svlm_status choose_raters(sv_pruner *p, const svlm_view *v, int n_visual)
{
    sv_arena a = { 0 };
    svlm_status st;
    int32_t *visual = NULL;
    double *work = NULL;
    for (int pass = 0; pass < 2; pass++) {
        visual = sv_take(&a, (size_t)n_visual, sizeof *visual);
        work = sv_take(&a, (size_t)p->n_text, sizeof *work);
        if (!pass && (st = sv_block_fit(&p->work, &a)))
            return st;
    }
    for (int i = 0, n = 0; i < v->n_rows; i++)
        if (sv_is_visual(v->kind[i]))
            visual[n++] = i;
    sv_rater_input in = { v->hidden, v->n_embd, visual, p->text_row, n_visual, p->n_text };
    sv_rater_scores(p->rater_score, &in, work, p->k);
    p->n_raters = sv_raters_above_mean(p->raters, p->rater_score, p->n_text);
    /* The published code takes the mean of nothing here, which is NaN. */
    p->fallback = p->n_raters == 0;
    if (p->fallback)
        for (int i = 0; i < p->n_text; i++)
            p->raters[p->n_raters++] = i;
    if (p->n_raters > MAX_RATERS && !p->opt.compat)
        keep_strongest(p);
    return SVLM_OK;
}

svlm_status sv_judges_begin(sv_pruner *p, const svlm_view *v)
{
    sv_arena a = { 0 };
    svlm_status st;
    p->n_text = p->n_raters = p->fallback = 0;
    lay_out(p, &a, (size_t)v->n_rows, (size_t)v->n_images);
    if ((st = sv_block_fit(&p->text_memory, &a)))
        return st;
    lay_out(p, &a, (size_t)v->n_rows, (size_t)v->n_images);
    int n_visual = 0, n_all = find_candidates(p, v, 0);
    for (int i = 0; i < v->n_images; i++)
        p->image_rows[i] = 0;
    for (int i = 0; i < v->n_rows; i++)
        if (sv_is_visual(v->kind[i])) {
            p->image_rows[v->image[i]]++;
            n_visual++;
        }
    p->n_visual = n_visual;
    /* One row of text is the template's, not a question: it does not judge. */
    if (p->method->judge == SV_JUDGE_RATERS && n_all >= 2 && n_visual > 0) {
        p->n_text = p->opt.raters_question_only ? find_candidates(p, v, 1) : n_all;
        if (p->n_text == 0)
            p->n_text = find_candidates(p, v, 0);
        return choose_raters(p, v, n_visual);
    }
    p->n_text = n_all;
    for (int i = 0; i < n_all; i++)
        p->rater_score[i] = 0;
    if (p->method->judge == SV_JUDGE_LAST_ROW && n_all > 0) {
        p->raters[p->n_raters++] = n_all - 1;
        p->rater_score[n_all - 1] = 1;
    }
    return SVLM_OK;
}

int sv_judges_find(sv_pruner *p, const svlm_view *v)
{
    int n = 0, ordinal = 0;
    for (int i = 0; i < v->n_rows && n < p->n_raters; i++) {
        if (sv_is_visual(v->kind[i]))
            continue;
        if (ordinal == p->text_ordinal[p->raters[n]])
            p->query[n++] = i;
        ordinal++;
    }
    return n;
}
