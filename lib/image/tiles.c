/* SPDX-License-Identifier: MIT */
/* A picture to the tower's inputs: itself, and for LLaVA-1.6 the tiles of an
 * enlarged copy, on whichever of the model's canvases wastes least of it. */
#include "image/image.h"

#include <math.h>

#include "image/preprocess.h"
#include "image/resize.h"

enum { MAX_TILES = 64 };

/* The (width, height) among the pinpoints that shows most of the picture's own pixels,
 * then has the least left over; the first of equals. Doubles are rounded as in the
 * reference implementation, whose choice this has to be. */
static const int32_t *best_pinpoint(const sv_preproc *p, int w, int h)
{
    const int32_t *best = p->pinpoints;
    double best_used = -1.0, best_waste = 0.0;
    for (int i = 0; i < p->n_pinpoints; i++) {
        const int32_t *at = p->pinpoints + 2 * i;
        double sw = (double)at[0] / w, sh = (double)at[1] / h, s = sw < sh ? sw : sh;
        double used = trunc(w * s) * trunc(h * s), own = (double)w * h;
        used = used < own ? used : own;
        double waste = (double)at[0] * at[1] - used;
        if (used > best_used || (used == best_used && waste < best_waste)) {
            best_used = used;
            best_waste = waste;
            best = at;
        }
    }
    return best;
}

/* The picture as large as fits into width x height, centred on black. */
static svlm_status fit(svlm_image **out, const svlm_image *image, int width, int height,
                       int n_threads, svlm_error *err)
{
    int w = svlm_image_width(image), h = svlm_image_height(image), nw = width, nh = height;
    double sw = (double)width / w, sh = (double)height / h;
    if (sw < sh)
        nh = (int)fmin(ceil(h * sw), height);
    else
        nw = (int)fmin(ceil(w * sh), width);
    svlm_image *small, *canvas;
    svlm_status st = sv_image_resize(&small, image, nw, nh, n_threads, err);
    if (st || (st = sv_image_new(&canvas, width, height, err))) {
        svlm_image_close(small);
        return st;
    }
    uint8_t *to = sv_image_data(canvas);
    size_t row = (size_t)width * 3, n = (size_t)nw * 3;
    memset(to, 0, row * (size_t)height);
    to += (size_t)((height - nh) / 2) * row + (size_t)((width - nw) / 2) * 3;
    for (size_t y = 0; y < (size_t)nh; y++)
        memcpy(to + y * row, svlm_image_pixels(small) + y * n, n);
    svlm_image_close(small);
    *out = canvas;
    return SVLM_OK;
}

static svlm_status cut(sv_tiles *t, const svlm_image *canvas, int size, svlm_error *err)
{
    size_t row = (size_t)svlm_image_width(canvas) * 3, n = (size_t)size * 3;
    for (int i = 0; i < t->cols * t->rows; i++) {
        svlm_status st = sv_image_new(&t->inputs[t->n_inputs], size, size, err);
        if (st)
            return st;
        uint8_t *to = sv_image_data(t->inputs[t->n_inputs++]);
        const uint8_t *from = svlm_image_pixels(canvas) +
                              (size_t)(i / t->cols * size) * row + (size_t)(i % t->cols) * n;
        for (size_t y = 0; y < (size_t)size; y++)
            memcpy(to + y * n, from + y * row, n);
    }
    return SVLM_OK;
}

static svlm_status make_tiles(sv_tiles *t, const svlm_image *image, const sv_preproc *p,
                              svlm_error *err)
{
    int s = p->image_size;
    const int32_t *at = best_pinpoint(p, t->orig_width, t->orig_height);
    if (at[0] < s || at[1] < s || at[0] % s || at[1] % s)
        return sv_fail(err, SVLM_ERR_FORMAT, "the model's tile grid of %d x %d pixels is not made "
                       "of tiles of %d x %d", (int)at[0], (int)at[1], s, s);
    t->cols = at[0] / s;
    t->rows = at[1] / s;
    if ((int64_t)t->cols * t->rows > MAX_TILES)
        return sv_fail(err, SVLM_ERR_LIMIT, "the model wants %d x %d tiles, the limit is %d",
                       t->cols, t->rows, MAX_TILES);
    svlm_image *canvas = NULL;
    svlm_status st;
    if (!(st = fit(&canvas, image, at[0], at[1], p->n_threads, err)) &&
        !(st = sv_image_resize(&t->inputs[0], image, s, s, p->n_threads, err))) {
        t->n_inputs = 1;
        st = cut(t, canvas, s, err);
    }
    svlm_image_close(canvas);
    return st;
}

svlm_status sv_tiles_make(sv_tiles *t, const svlm_image *image, const sv_preproc *p,
                          svlm_preproc mode, svlm_error *err)
{
    svlm_status st;
    memset(t, 0, sizeof *t);
    t->orig_width = svlm_image_width(image);
    t->orig_height = svlm_image_height(image);
    if (!(t->inputs = sv_calloc(SV_MEM_IMAGE, 1 + MAX_TILES, sizeof *t->inputs)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for tiles");
    if (mode == SVLM_PREPROC_AUTO)
        mode = p->n_pinpoints > 0 ? SVLM_PREPROC_TILES : SVLM_PREPROC_PAD;
    if (mode == SVLM_PREPROC_TILES && p->n_pinpoints > 0)
        st = make_tiles(t, image, p, err);
    else if (mode == SVLM_PREPROC_TILES)
        st = sv_fail(err, SVLM_ERR_ARG, "tiles were asked for, but the model has no tile grids");
    else if (mode == SVLM_PREPROC_CROP)
        st = sv_preprocess_crop(&t->inputs[0], image, p, err);
    else if (mode == SVLM_PREPROC_PAD)
        st = sv_preprocess_pad(&t->inputs[0], image, p, err);
    else
        st = sv_fail(err, SVLM_ERR_ARG, "preprocessing %d is not known", (int)mode);
    if (st)
        sv_tiles_free(t);
    else if (!t->n_inputs)
        t->n_inputs = 1;
    return st;
}

void sv_tiles_free(sv_tiles *t)
{
    for (int i = 0; t->inputs && i <= MAX_TILES; i++)
        svlm_image_close(t->inputs[i]);
    sv_free(t->inputs);
    memset(t, 0, sizeof *t);
}

/* The reference truncates h * cols / w after rounding it to seven decimals, which for
 * pictures below ten million pixels a side is division of whole numbers. */
void sv_unpad(int grid_cols, int grid_rows, int orig_width, int orig_height, int *x0, int *x1,
              int *y0, int *y1)
{
    int64_t w = orig_width, h = orig_height, cols = grid_cols, rows = grid_rows;
    int cut_x = 0, cut_y = 0;
    if (w * rows > cols * h)
        cut_y = (int)((rows - h * cols / w) / 2);
    else
        cut_x = (int)((cols - w * rows / h) / 2);
    *x0 = cut_x;
    *x1 = grid_cols - cut_x;
    *y0 = cut_y;
    *y1 = grid_rows - cut_y;
}
