/* SPDX-License-Identifier: MIT */
/* Methods that work before layer 0: one picture in, fewer rows out. */
#include "prune/pruner.h"

static svlm_status make_room(sv_pruner *p, const svlm_reduce_view *v, int k, sv_stage *s)
{
    sv_stage_size size = { .n_in = v->n_rows, .n_rows = v->n_rows, .n_images = 1,
                           .max_merged = p->opt.method == SVLM_PRUNE_VISIONZIP ? k : 0,
                           .width = v->n_embd };
    svlm_status st = sv_stage_fit(s, &size);
    if (st)
        return st;
    s->layer = -1;
    for (int i = 0; i < v->n_rows; i++) {
        s->row[i] = s->in_origin[i] = i;
        s->in_image[i] = v->image;
        s->kept[i] = v->cells[i].x < 0 && p->opt.keep_separators;
    }
    return SVLM_OK;
}

svlm_status sv_stage_reduce(sv_pruner *p, const svlm_reduce_view *v, svlm_reduction *r)
{
    svlm_status st;
    if ((st = sv_schedule_make(&p->schedule, &p->opt, 1, v->n_rows, 0, NULL)) ||
        (st = sv_stages_reserve(p, p->n_stages + 1)))
        return st;
    sv_stage *s = &p->stages[p->n_stages];
    int k = p->schedule.keep[0];
    if ((st = make_room(p, v, k, s)))
        return st;
    if (k >= v->n_rows)
        for (int i = 0; i < v->n_rows; i++)
            s->kept[i] = 1;
    else if ((st = p->method->reduce(p, v, k, s)))
        return st;
    sv_stage_list_kept(s);
    if (s->n_keep < s->n_in) {
        r->n_keep = s->n_keep;
        r->keep = s->keep;
        r->n_merged = s->n_merged;
        r->merged = s->merged;
        r->merged_position = s->merged_position;
        r->renumber = p->compact;
    }
    p->report[p->n_stages++] = sv_stage_report(s, 0);
    return SVLM_OK;
}
