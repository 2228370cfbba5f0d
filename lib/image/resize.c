/* SPDX-License-Identifier: MIT */
/* Pillow's bicubic filter, bit for bit: two passes in whole numbers, each ending
 * in 8-bit pixels. The picture may lie on a larger plain canvas and only a window
 * of the result may be wanted: neither is ever built in full, so that 1 x 20000
 * pixels on their square of 20000 x 20000 cost next to nothing. */
#include "image/resize.h"

#include <math.h>

#include "base/threads.h"

enum { BITS = 22, HALF = 1 << (BITS - 1), CHANNELS = 3, MAX_THREADS = 64 };

/* How one direction is filtered: output i of the window is the sum over k below
 * n[i] of weight[i][k] * input[first[i] + k], in units of 2^-BITS. */
typedef struct filter {
    int n_out, n_taps;
    int *first, *n;               /* [n_out]         */
    int32_t *weight;              /* [n_out][n_taps] */
} filter;

/* Keys' cubic with a = -1/2. */
static double cubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0)
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1;
    if (t < 2.0)
        return (((t - 5) * t + 8) * t - 4) * a;
    return 0.0;
}

/* Weights of the source pixels lo .. hi-1 around centre, stretched by width. */
static void weigh(int32_t *weight, double *exact, int lo, int hi, double centre, double width)
{
    double sum = 0.0;
    for (int k = lo; k < hi; k++) {
        exact[k - lo] = cubic((k - centre + 0.5) * (1.0 / width));
        sum += exact[k - lo];
    }
    for (int k = 0; k < hi - lo; k++) {
        double w = (sum != 0.0 ? exact[k] / sum : exact[k]) * (1 << BITS);
        weight[k] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
}

static void filter_free(filter *f)
{
    sv_free(f->first);
    sv_free(f->n);
    sv_free(f->weight);
}

/* Outputs start .. start + n_out - 1 of resizing n_in pixels to n_full. */
static svlm_status filter_new(filter *f, int n_in, int n_full, int start, int n_out,
                              svlm_error *err)
{
    double scale = (double)n_in / n_full, width = scale < 1.0 ? 1.0 : scale, support = 2.0 * width;
    size_t n = (size_t)n_out, taps = (size_t)ceil(support) * 2 + 1;
    double *exact = sv_malloc(SV_MEM_TEMP, taps, sizeof *exact);
    f->n_out = n_out;
    f->n_taps = (int)taps;
    f->first = sv_malloc(SV_MEM_TEMP, n, sizeof *f->first);
    f->n = sv_malloc(SV_MEM_TEMP, n, sizeof *f->n);
    f->weight = sv_calloc(SV_MEM_TEMP, n * taps, sizeof *f->weight);
    if (!exact || !f->first || !f->n || !f->weight) {
        sv_free(exact);
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for resizing %d pixels to %d", n_in, n_full);
    }
    for (int i = 0; i < n_out; i++) {
        double centre = (start + i + 0.5) * scale;
        int lo = (int)(centre - support + 0.5), hi = (int)(centre + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > n_in ? n_in : hi;
        weigh(f->weight + (size_t)i * taps, exact, lo, hi, centre, width);
        f->first[i] = lo;
        f->n[i] = hi - lo;
    }
    sv_free(exact);
    return SVLM_OK;
}

static uint8_t clamp(int32_t sum)
{
    int32_t v = sum >> BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

typedef struct job {
    const sv_resample *r;
    const uint8_t *pixels;
    filter across, down;
    int image_width;
    int first_row, n_rows;        /* of the picture: those the window needs         */
    int n_threads;
    uint8_t *wide;                /* [n_threads][canvas_w][3] rows of the canvas    */
    uint8_t *narrow;              /* [n_rows + 1][w][3] filtered across; last: plain */
    int32_t *sums;                /* [n_threads][w][3]                              */
    uint8_t *out;                 /* [h][w][3]                                      */
} job;

static void across_row(uint8_t *to, const uint8_t *from, const filter *f)
{
    for (int i = 0; i < f->n_out; i++, to += CHANNELS) {
        const int32_t *w = f->weight + (size_t)i * (size_t)f->n_taps;
        const uint8_t *p = from + (size_t)f->first[i] * CHANNELS;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int k = 0; k < f->n[i]; k++, p += CHANNELS) {
            r += w[k] * p[0];
            g += w[k] * p[1];
            b += w[k] * p[2];
        }
        to[0] = clamp(r);
        to[1] = clamp(g);
        to[2] = clamp(b);
    }
}

static uint8_t *narrow_row(const job *j, int i)
{
    return j->narrow + (size_t)i * (size_t)j->r->w * CHANNELS;
}

/* Picture row first_row + task, laid on its canvas. The margins are there already. */
static void across_task(void *arg, int task, int thread)
{
    const job *j = arg;
    size_t row = (size_t)j->image_width * CHANNELS;
    uint8_t *wide = j->wide + (size_t)thread * (size_t)j->r->canvas_w * CHANNELS;
    memcpy(wide + (size_t)j->r->at_x * CHANNELS,
           j->pixels + (size_t)(j->first_row + task) * row, row);
    across_row(narrow_row(j, task), wide, &j->across);
}

/* Output row task. Rows above and below the picture are the plain one. */
static void down_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const filter *f = &j->down;
    size_t n = (size_t)j->r->w * CHANNELS;
    int32_t *sum = j->sums + (size_t)thread * n;
    for (size_t x = 0; x < n; x++)
        sum[x] = HALF;
    for (int k = 0; k < f->n[task]; k++) {
        int32_t w = f->weight[(size_t)task * (size_t)f->n_taps + (size_t)k];
        int row = f->first[task] + k - j->r->at_y - j->first_row;
        const uint8_t *p = narrow_row(j, row >= 0 && row < j->n_rows ? row : j->n_rows);
        for (size_t x = 0; x < n; x++)
            sum[x] += w * p[x];
    }
    uint8_t *to = j->out + (size_t)task * n;
    for (size_t x = 0; x < n; x++)
        to[x] = clamp(sum[x]);
}

/* The picture rows that the window's rows are made of. */
static void find_rows(job *j, int image_height)
{
    const filter *f = &j->down;
    int last = f->n_out - 1;
    int lo = f->first[0] - j->r->at_y, hi = f->first[last] + f->n[last] - j->r->at_y;
    lo = lo < 0 ? 0 : lo;
    hi = hi > image_height ? image_height : hi;
    j->first_row = lo;
    j->n_rows = hi > lo ? hi - lo : 0;
}

static svlm_status job_new(job *j, const sv_resample *r, int n_threads, svlm_error *err)
{
    svlm_status st;
    if ((st = filter_new(&j->across, r->canvas_w, r->full_w, r->x, r->w, err)) ||
        (st = filter_new(&j->down, r->canvas_h, r->full_h, r->y, r->h, err)))
        return st;
    j->r = r;
    j->pixels = svlm_image_pixels(r->image);
    j->image_width = svlm_image_width(r->image);
    j->n_threads = n_threads < 1 ? 1 : n_threads > MAX_THREADS ? MAX_THREADS : n_threads;
    find_rows(j, svlm_image_height(r->image));
    size_t n_wide = (size_t)j->n_threads * (size_t)r->canvas_w, w = (size_t)r->w;
    j->wide = sv_malloc(SV_MEM_TEMP, n_wide, CHANNELS);
    j->narrow = sv_malloc(SV_MEM_TEMP, ((size_t)j->n_rows + 1) * w, CHANNELS);
    j->sums = sv_malloc(SV_MEM_TEMP, (size_t)j->n_threads * w, CHANNELS * sizeof *j->sums);
    if (!j->wide || !j->narrow || !j->sums)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for resizing a picture to %d x %d",
                       r->full_w, r->full_h);
    for (size_t i = 0; i < n_wide; i++)
        memcpy(j->wide + i * CHANNELS, r->fill, CHANNELS);
    return SVLM_OK;
}

static void job_free(job *j)
{
    filter_free(&j->across);
    filter_free(&j->down);
    sv_free(j->wide);
    sv_free(j->narrow);
    sv_free(j->sums);
}

svlm_status sv_resample_run(svlm_image **out, const sv_resample *r, int n_threads, svlm_error *err)
{
    job j = { 0 };
    svlm_image *image = NULL;
    svlm_status st;
    *out = NULL;
    if ((st = sv_image_new(&image, r->w, r->h, err)) || (st = job_new(&j, r, n_threads, err))) {
        svlm_image_close(image);
        goto done;
    }
    j.out = sv_image_data(image);
    across_row(narrow_row(&j, j.n_rows), j.wide, &j.across);
    sv_parallel(j.n_threads, j.n_rows, across_task, &j);
    sv_parallel(j.n_threads, r->h, down_task, &j);
    *out = image;
done:
    job_free(&j);
    return st;
}

svlm_status sv_image_resize(svlm_image **out, const svlm_image *in, int width, int height,
                            int n_threads, svlm_error *err)
{
    sv_resample r = { .image = in, .canvas_w = svlm_image_width(in),
                      .canvas_h = svlm_image_height(in), .full_w = width, .full_h = height,
                      .w = width, .h = height };
    return sv_resample_run(out, &r, n_threads, err);
}
