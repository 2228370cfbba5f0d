/* SPDX-License-Identifier: MIT */
/* The pages explain draws. */
#include <stdio.h>
#include <stdlib.h>

#include "explain.h"
#include "font.h"

enum {
    PAPER = 0xfbfaf7, INK = 0x1d1f24, FAINT = 0x8a8d94, ACCENT = 0xd9480f, EDGE = 0xffffff,
    NIGHT = 0x14141c,
    MARGIN = 28, GAP = 24, PANEL = 448, COLUMN = 420, LINE = 26, SMALL = 16
};

/* ---- patches --------------------------------------------------------------- */

/* Picture pixel under (u, v), 0 to 1 across the view; -1: beside the picture. */
static int64_t source(const view *v, double u, double w)
{
    int width = svlm_image_width(v->image), height = svlm_image_height(v->image);
    double x = u * width, y = w * height;
    if (v->on_square) {
        int side = width > height ? width : height;
        x = u * side - (side - width) / 2.0;
        y = w * side - (side - height) / 2.0;
    }
    if (x < 0 || y < 0 || x >= width || y >= height)
        return -1;
    return (int64_t)y * width + (int64_t)x;
}

static void draw_picture(sheet *s, const view *v, int left, int top, int w, int h)
{
    enum { N = 4 };               /* samples a side, averaged */
    static const int padding[3] = { 122, 116, 104 };    /* LLaVA's */
    const uint8_t *pixels = svlm_image_pixels(v->image);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int sum[3] = { 0, 0, 0 };
            for (int i = 0; i < N * N; i++) {
                int64_t at = source(v, (x + (i % N + 0.5) / N) / w, (y + (i / N + 0.5) / N) / h);
                for (int c = 0; c < 3; c++)
                    sum[c] += at < 0 ? padding[c] : pixels[3 * at + c];
            }
            set_pixel(s, left + x, top + y, (color)(sum[0] / (N * N)) << 16 |
                      (color)(sum[1] / (N * N)) << 8 | (color)(sum[2] / (N * N)));
        }
}

/* The size of a view drawn as large as fits into a square of side pixels. */
static void view_size(const view *v, int side, int *w, int *h)
{
    double iw = svlm_image_width(v->image), ih = svlm_image_height(v->image);
    *w = *h = side;
    if (v->on_square)
        return;
    if (iw > ih)
        *h = (int)(side * ih / iw);
    else
        *w = (int)(side * iw / ih);
    *w = *w < 24 ? 24 : *w;
    *h = *h < 24 ? 24 : *h;
}

static color shade(const fates *f, int row, color c, int as_heat)
{
    if (as_heat)
        return f->score[row] >= 0 ? mix(mix(grey_of(c), 0, 0.5), heat(f->score[row]), 0.78)
                                  : mix(NIGHT, grey_of(c), 0.1);
    switch (f->fate[row]) {
    case KEPT: return c;
    case MERGED: return mix(mix(NIGHT, grey_of(c), 0.35), hue(f->merged[row]), 0.55);
    case DROPPED: return mix(NIGHT, grey_of(c), 0.3);
    case GONE: return mix(NIGHT, grey_of(c), 0.1);
    }
    return c;
}

typedef struct patch { int x, y, w, h; } patch;

static patch patch_of(const view *v, const svlm_cell *cell, int w, int h)
{
    int cx = cell->x - v->x0, cy = cell->y - v->y0;
    patch p = { cx * w / v->cols, cy * h / v->rows, 0, 0 };
    p.w = (cx + 1) * w / v->cols - p.x;
    p.h = (cy + 1) * h / v->rows - p.y;
    return p;
}

/* Lines where kept patches meet others make small ones stand out. */
static void draw_edges(sheet *s, const view *v, const fates *f, int left, int top, int w, int h)
{
    unsigned char *kept = calloc((size_t)v->cols + 1, (size_t)v->rows + 1);
    if (!kept)
        return;                   /* a page without them will do */
    for (int row = 0; row < f->n_rows; row++)
        if (v->cells[row].tile == v->tile && v->cells[row].x >= 0)
            kept[(v->cells[row].y - v->y0) * v->cols + v->cells[row].x - v->x0] =
                f->fate[row] == KEPT;
    for (int i = 0; i < v->cols * v->rows; i++) {
        svlm_cell cell = { 0, (int16_t)(i % v->cols + v->x0), (int16_t)(i / v->cols + v->y0), 0 };
        patch p = patch_of(v, &cell, w, h);
        if (i % v->cols && kept[i] != kept[i - 1])
            for (int y = 0; y < p.h; y++)
                set_pixel(s, left + p.x, top + p.y + y,
                          mix(get_pixel(s, left + p.x, top + p.y + y), EDGE, 0.55));
        if (i >= v->cols && kept[i] != kept[i - v->cols])
            for (int x = 0; x < p.w; x++)
                set_pixel(s, left + p.x + x, top + p.y,
                          mix(get_pixel(s, left + p.x + x, top + p.y), EDGE, 0.55));
    }
    free(kept);
}

static void draw_view(sheet *s, const view *v, const fates *f, int left, int top, int side,
                      int as_heat)
{
    int w, h;
    view_size(v, side, &w, &h);
    draw_picture(s, v, left, top, w, h);
    for (int row = 0; f && row < f->n_rows; row++) {
        if (v->cells[row].tile != v->tile || v->cells[row].x < 0)
            continue;
        patch p = patch_of(v, &v->cells[row], w, h);
        for (int y = top + p.y; y < top + p.y + p.h; y++)
            for (int x = left + p.x; x < left + p.x + p.w; x++)
                set_pixel(s, x, y, shade(f, row, get_pixel(s, x, y), as_heat));
    }
    if (f && !as_heat)
        draw_edges(s, v, f, left, top, w, h);
    frame(s, left - 1, top - 1, w + 2, h + 2, FAINT);
}

/* Which view it is, above it, where there are several. */
static void name_view(sheet *s, const explain *e, const view *v, int left, int top)
{
    if (e->n_views > 1)
        draw_line(s, left, top - 14, 1, FAINT, "picture %d%s", v->picture + 1,
                  v->tile ? ", enlarged" : "");
}

/* ---- words ----------------------------------------------------------------- */

/* How a token is shown; what cannot be seen gets a sign when it is a rater. */
static const char *visible(const word *t, size_t *n)
{
    size_t space = t->n && t->text[0] == ' ';
    *n = t->n - space;
    if (*n && t->text[space] != '\n')
        return t->text + space;
    *n = t->is_rater ? *n ? 2 : 1 : 0;
    return t->n > space ? "\\n" : "_";
}

/* Pixels from token i to the next space. */
static int width_of_word(const explain *e, int i)
{
    int w = 0;
    for (int k = i; k < e->report.n_text; k++) {
        size_t n;
        const char *text = visible(&e->words[k], &n);
        if (k > i && e->words[k].n && e->words[k].text[0] == ' ')
            break;
        w += text_width(text, n, 2);
    }
    return w;
}

/* The question as the model reads it, from (left, top), width wide; returns the y below.
 * Raters are underlined, the more they weigh the thicker. A sheet without pixels measures. */
static int draw_words(sheet *s, const explain *e, int left, int top, int width)
{
    int x = left, y = top;
    for (int i = 0; i < e->report.n_text; i++) {
        const word *t = &e->words[i];
        size_t n;
        const char *text = visible(t, &n);
        int starts_word = !i || (t->n && t->text[0] == ' ');
        if (starts_word && x > left)
            x += FONT_W * 2;
        if (starts_word && x > left && x + width_of_word(e, i) > left + width) {
            x = left;
            y += LINE + 8;
        }
        draw_text(s, x, y, text, n, 2, t->is_rater ? INK : FAINT);
        int w = text_width(text, n, 2);
        if (t->is_rater)
            fill(s, x, y + 21, w - 2, 2 + (int)(4 * t->weight), mix(0xf7c6a8, ACCENT, t->weight));
        x += w;
    }
    return y + LINE + 14;
}

static int draw_raters(sheet *s, const explain *e, int left, int top, int width)
{
    if (!e->report.n_text) {
        draw_line(s, left, top, 1, FAINT, "This method does not look at the question.");
        return top + SMALL;
    }
    int y = draw_words(s, e, left, top, width);
    if (e->report.raters_fallback)
        draw_line(s, left, y, 1, FAINT, "No word looks at the picture more than the average does: "
                  "all judge.");
    else
        draw_line(s, left, y, 1, FAINT, "%d of %d tokens judge: underlined, thicker with their "
                  "weight.", e->report.n_raters, e->report.n_text);
    return y + SMALL;
}

/* ---- pages ----------------------------------------------------------------- */

static int n_picture_rows(const svlm_prune_stage *s, const int32_t *list, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += s->in_origin[list ? list[i] : i] >= 0;
    return count;
}

/* How many rows of each fate, in words. */
static void describe(const svlm_prune_stage *s, char *text, size_t cap)
{
    int before = s->n_in - n_picture_rows(s, NULL, s->n_in);
    int n = snprintf(text, cap, "%d of %d visual rows kept", s->n_keep, s->n_in);
    if (s->n_recycled && (size_t)n < cap)
        n += snprintf(text + n, cap - (size_t)n, ", %d merged into %d", s->n_recycled, s->n_merged);
    int dropped = s->n_in - s->n_keep - s->n_recycled;
    if (dropped && (size_t)n < cap)
        n += snprintf(text + n, cap - (size_t)n, ", %d dropped", dropped);
    if (before && (size_t)n < cap)
        snprintf(text + n, cap - (size_t)n, " (%d came from earlier merging)", before);
}

static int swatch(sheet *s, int left, int top, color c, const char *what)
{
    fill(s, left, top, 14, 14, c);
    frame(s, left, top, 14, 14, FAINT);
    draw_line(s, left + 22, top + 3, 1, INK, "%s", what);
    return top + 22;
}

static int draw_legend(sheet *s, const svlm_prune_stage *stage, int left, int top)
{
    static const color mosaic[4] = { 0xd9480f, 0x2f9e44, 0x1971c2, 0xf2b705 };
    int y = swatch(s, left, top, 0, "kept: as it is");
    for (int i = 0; i < 4; i++)
        fill(s, left + 1 + i % 2 * 6, top + 1 + i / 2 * 6, 6, 6, mosaic[i]);
    if (stage->n_recycled)
        y = swatch(s, left, y, mix(NIGHT, hue(0), 0.6),
                   "merged: one colour for each new row it went into");
    y = swatch(s, left, y, mix(NIGHT, 0xffffff, 0.25), "dropped here");
    y = swatch(s, left, y, NIGHT, "gone before");
    if (!stage->score)
        return y;
    for (int x = 0; x < 200; x++)
        fill(s, left + x, y + 8, 1, 12, heat(x / 199.0));
    draw_line(s, left, y + 26, 1, INK, "lowest score");
    draw_line(s, left + 200 - 13 * 6, y + 26, 1, INK, "highest score");
    return y + 44;
}

/* The height of all views one above the other. */
static int views_height(const explain *e, int side)
{
    int total = 0, w, h;
    for (int i = 0; i < e->n_views; i++) {
        view_size(&e->views[i], side, &w, &h);
        total += h + GAP;
    }
    return total;
}

const char *explain_when(const svlm_prune_stage *s, char *text, size_t cap)
{
    if (s->layer < 0)
        snprintf(text, cap, "before the first layer");
    else
        snprintf(text, cap, "after layer %d", s->layer);
    return text;
}

static void draw_title(sheet *s, const explain *e, const char *rest)
{
    draw_line(s, MARGIN, MARGIN, 3, INK, "%s %s", cli_prune_name(&e->o), rest);
}

sheet explain_page(const explain *e, int k)
{
    const svlm_prune_stage *stage = &e->report.stages[k];
    int n_panels = stage->score ? 2 : 1, top = MARGIN + 76;
    int column = MARGIN + n_panels * (PANEL + GAP), height = top + views_height(e, PANEL) + MARGIN;
    sheet nothing = { 0, 0, NULL };
    int text_bottom = draw_raters(&nothing, e, column, top, COLUMN) + GAP;
    int legend_bottom = draw_legend(&nothing, stage, column, text_bottom) + MARGIN;
    char line[200];
    sheet s = sheet_new(column + COLUMN + MARGIN, height > legend_bottom ? height : legend_bottom,
                        PAPER);
    draw_title(&s, e, explain_when(stage, line, sizeof line));
    describe(stage, line, sizeof line);
    draw_line(&s, MARGIN, MARGIN + 38, 2, FAINT, "%s", line);
    for (int i = 0, y = top, w, h; i < e->n_views; i++) {
        const view *v = &e->views[i];
        name_view(&s, e, v, MARGIN, y);
        draw_view(&s, v, &e->fates[v->picture], MARGIN, y, PANEL, 0);
        if (stage->score)
            draw_view(&s, v, &e->fates[v->picture], MARGIN + PANEL + GAP, y, PANEL, 1);
        view_size(v, PANEL, &w, &h);
        y += h + GAP;
    }
    draw_raters(&s, e, column, top, COLUMN);
    draw_legend(&s, stage, column, text_bottom);
    return s;
}

/* ---- overview -------------------------------------------------------------- */

static void caption(sheet *s, const svlm_prune_stage *stage, int left, int top)
{
    char when[40];
    draw_line(s, left, top, 2, INK, "%s", explain_when(stage, when, sizeof when));
    draw_line(s, left, top + 24, 1, FAINT, "%d of %d kept", stage->n_keep, stage->n_in);
    if (stage->n_recycled)
        draw_line(s, left, top + 38, 1, FAINT, "%d merged into %d", stage->n_recycled,
                  stage->n_merged);
}

/* The height of one view in the overview, with its scores if any stage has them. */
static int slot_height(const explain *e, const view *v, int side)
{
    int w, h;
    view_size(v, side, &w, &h);
    for (int k = 0; k < e->report.n_stages; k++)
        if (e->report.stages[k].score)
            return 2 * h + GAP / 2 + GAP;
    return h + GAP;
}

/* One column of the overview: every view, below each its scores. No stage: as it was. */
static void draw_column(sheet *s, const explain *e, const svlm_prune_stage *stage, int left,
                        int top, int side)
{
    for (int i = 0, y = top, w, h; i < e->n_views; i++) {
        const view *v = &e->views[i];
        view_size(v, side, &w, &h);
        draw_view(s, v, stage ? &e->fates[v->picture] : NULL, left, y, side, 0);
        if (stage && stage->score)
            draw_view(s, v, &e->fates[v->picture], left, y + h + GAP / 2, side, 1);
        if (!stage)
            name_view(s, e, v, left, y);
        y += slot_height(e, v, side);
    }
}

sheet explain_overview(explain *e)
{
    int n = e->report.n_stages, side = 1400 / (n + 1);
    side = side > 320 ? 320 : side < 150 ? 150 : side;
    int top = MARGIN + 122, width = 2 * MARGIN + (n + 1) * (side + GAP) - GAP, words_top = top;
    for (int i = 0; i < e->n_views; i++)
        words_top += slot_height(e, &e->views[i], side);
    width = width < 720 ? 720 : width;
    sheet nothing = { 0, 0, NULL };
    int height = draw_raters(&nothing, e, MARGIN, words_top, width - 2 * MARGIN) + MARGIN;
    sheet s = sheet_new(width, height, PAPER);
    draw_title(&s, e, "");
    draw_line(&s, MARGIN, top - 74, 2, INK, "before pruning");
    draw_column(&s, e, NULL, MARGIN, top, side);
    for (int k = 0; k < n; k++) {
        int left = MARGIN + (k + 1) * (side + GAP);
        explain_stage(e, k);
        caption(&s, &e->report.stages[k], left, top - 74);
        draw_column(&s, e, &e->report.stages[k], left, top, side);
    }
    draw_raters(&s, e, MARGIN, words_top, width - 2 * MARGIN);
    return s;
}
