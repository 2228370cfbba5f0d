/* SPDX-License-Identifier: MIT */
/* The prompt becomes rows: tokens are looked up, pictures copied, and a hook
 * may reduce each picture before the language model sees it. */
#include "llm/turn.h"

#include <inttypes.h>

/* The text after the last picture, as the reduce callback is shown it. It lies at the
 * far end of s->rows until the rows themselves get there. */
typedef struct tail {
    int n;
    float *hidden;
    uint8_t *question;
} tail;

static svlm_status check_images(const sv_session *s, const sv_turn *t, svlm_error *err)
{
    size_t n_places = 0;
    for (size_t i = 0; i < t->prompt->n; i++)
        n_places += t->prompt->item[i].is_image != 0;
    if (n_places != (size_t)t->n_images)
        return sv_fail(err, SVLM_ERR_ARG, "the prompt has places for %zu pictures, %d were given",
                       n_places, t->n_images);
    for (int i = 0; i < t->n_images; i++) {
        const svlm_features *f = t->images[i];
        if (f->width != s->m->n_embd)
            return sv_fail(err, SVLM_ERR_ARG,
                           "picture %d has features %d wide, the language model is %d wide", i,
                           f->width, s->m->n_embd);
        if (t->hook && t->hook->needs_class_attention && !f->class_attention)
            return sv_fail(err, SVLM_ERR_ARG,
                           "picture %d was encoded without class_attention, which the hook needs",
                           i);
        t->cells[i] = f->cells;
        t->image_rows[i] = f->n_rows;
    }
    return SVLM_OK;
}

static svlm_status too_long(const sv_session *s, const sv_turn *t, svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_CONTEXT,
                   "the prompt has %d rows, %d of them of pictures, but the context has room for"
                   " %d of %d", s->n_prompt, s->n_visual, t->room, s->o.n_ctx);
}

/* Counts the rows as entered; without a reduce callback they all have to fit. */
static svlm_status count_rows(sv_session *s, const sv_turn *t, svlm_error *err)
{
    int64_t n_visual = 0, n_text = (int64_t)t->prompt->n - t->n_images;
    for (int i = 0; i < t->n_images; i++)
        n_visual += t->image_rows[i];
    if (n_text + n_visual < 1)
        return sv_fail(err, SVLM_ERR_ARG, "the prompt is empty");
    s->n_prompt = (int)(n_text + n_visual < INT32_MAX ? n_text + n_visual : INT32_MAX);
    s->n_visual = (int)(n_visual < INT32_MAX ? n_visual : INT32_MAX);
    int reduces = t->hook && t->hook->reduce;
    if ((reduces ? n_text : n_text + n_visual) > t->room)
        return too_long(s, t, err);
    return SVLM_OK;
}

static float *hidden_at(const sv_session *s, int row)
{
    return s->rows.hidden + (size_t)row * (size_t)s->m->n_embd;
}

/* The next row's marks; the caller writes its hidden values. */
static int new_row(sv_rows *r, svlm_row_kind kind, int image, int origin, int place)
{
    int i = r->n++;
    r->kind[i] = (uint8_t)kind;
    r->question[i] = 0;
    r->image[i] = image;
    r->origin[i] = origin;
    r->token[i] = -1;
    r->place[i] = place;
    return i;
}

static svlm_status add_token(sv_session *s, const sv_prompt_item *item, svlm_error *err)
{
    if (item->id < 0 || item->id >= s->m->n_vocab)
        return sv_fail(err, SVLM_ERR_ARG, "token %" PRId32 " is not among the model's %d",
                       item->id, s->m->n_vocab);
    int i = new_row(&s->rows, SVLM_ROW_TEXT, -1, -1, s->rows.span++);
    s->rows.token[i] = item->id;
    s->rows.question[i] = item->question;
    sv_weight_row(s->k, hidden_at(s, i), &s->m->token_embd, item->id);
    return SVLM_OK;
}

/* Rows of picture number image: those of keep (NULL: all), then merged ones. */
static void add_picture(sv_session *s, const svlm_features *f, int image, const svlm_reduction *r)
{
    sv_rows *rows = &s->rows;
    size_t width = (size_t)f->width;
    int start = rows->span, n_keep = r->keep ? r->n_keep : f->n_rows;
    for (int j = 0; j < n_keep; j++) {
        int origin = r->keep ? r->keep[j] : j;
        svlm_row_kind kind = f->cells[origin].x < 0 ? SVLM_ROW_SEPARATOR : SVLM_ROW_IMAGE;
        int i = new_row(rows, kind, image, origin, start + (r->renumber ? j : origin));
        memcpy(hidden_at(s, i), f->rows + (size_t)origin * width, width * sizeof(float));
    }
    for (int j = 0; j < r->n_merged; j++) {
        int place = start + (r->renumber ? n_keep + j : r->merged_position[j]);
        int i = new_row(rows, SVLM_ROW_MERGED, image, -1, place);
        memcpy(hidden_at(s, i), r->merged + (size_t)j * width, width * sizeof(float));
    }
    rows->span += r->renumber ? n_keep + r->n_merged : f->n_rows;
}

/* n_text: tokens still to come, which will need rows too. */
static svlm_status reduce_picture(sv_session *s, sv_turn *t, int image, const tail *text,
                                  int n_text, svlm_reduction *r, svlm_error *err)
{
    const svlm_features *f = t->images[image];
    svlm_reduce_view v = {
        .size = sizeof v, .image = image, .n_images = t->n_images, .n_rows = f->n_rows,
        .n_embd = f->width, .rows = f->rows, .cells = f->cells,
        .class_attention = f->class_attention, .keys = f->keys, .key_width = f->key_width,
        .n_text = text->n, .text = text->hidden, .question = text->question,
    };
    svlm_status st = sv_hook_reduce(s, t, &v, r, err);
    if (st)
        return st;
    int64_t n_rows = (r->keep ? r->n_keep : f->n_rows) + (int64_t)r->n_merged;
    return s->rows.n + n_rows + n_text > t->room ? too_long(s, t, err) : SVLM_OK;
}

static svlm_status lay_out_tail(sv_session *s, const sv_turn *t, tail *text, svlm_error *err)
{
    const sv_prompt *p = t->prompt;
    size_t first = p->n;
    while (first && !p->item[first - 1].is_image)
        first--;
    text->n = (int)(p->n - first);
    text->hidden = hidden_at(s, s->o.n_ctx - text->n);
    text->question = s->rows.question + (s->o.n_ctx - text->n);
    /* Through add_token, for its checks; the rows proper begin anew afterwards. */
    s->rows.n = s->o.n_ctx - text->n;
    for (size_t i = first; i < p->n; i++) {
        svlm_status st = add_token(s, &p->item[i], err);
        if (st)
            return st;
    }
    return SVLM_OK;
}

svlm_status sv_prompt_rows(sv_session *s, sv_turn *t, svlm_error *err)
{
    svlm_status st;
    tail text = { 0 };
    int next_image = 0, reduces = t->hook && t->hook->reduce;
    int n_text = (int)t->prompt->n - t->n_images;
    if ((st = check_images(s, t, err)) || (st = count_rows(s, t, err)) ||
        (st = sv_spans_start(s, t, err)) ||
        (reduces && t->n_images && (st = lay_out_tail(s, t, &text, err))))
        return st;
    s->rows.n = s->rows.span = 0;
    for (size_t i = 0; i < t->prompt->n; i++) {
        const sv_prompt_item *item = &t->prompt->item[i];
        svlm_reduction r = { .size = sizeof r, .renumber = 1 };
        if (!item->is_image) {
            st = add_token(s, item, err);
            n_text--;
        } else {
            if (reduces)
                st = reduce_picture(s, t, next_image, &text, n_text, &r, err);
            if (!st)
                add_picture(s, t->images[next_image], next_image, &r);
            next_image++;
        }
        if (st)
            return st;
        if (item->is_image)
            t->n_prefix = s->rows.n;
    }
    return SVLM_OK;
}
