/* SPDX-License-Identifier: MIT */
/* An even grid over each tile: as many lines as keep the spacing alike in both
 * directions, and the rest spread over the lines. */
#include <math.h>

#include "prune/pruner.h"

/* Of n picks spread over size places, the one that falls on place at, or -1. Pick i is
 * the place under the middle of the i-th of n equal parts. */
static int pick_at(int at, int n, int size)
{
    int guess = (int)((int64_t)at * n / size);
    for (int i = guess > 0 ? guess - 1 : 0; i < n && i <= guess + 1; i++)
        if ((2 * (int64_t)i + 1) * size / (2 * n) == at)
            return i;
    return -1;
}

static int n_lines(int k, int width, int height)
{
    int n = (int)lround(sqrt((double)k * height / width));
    int least = (k + width - 1) / width;        /* no line can hold more than width */
    n = n > least ? n : least;
    return n < height ? n : height;
}

static void pick_tile(const svlm_reduce_view *v, int tile, int k, sv_stage *s)
{
    int width = 0, height = 0;
    for (int i = 0; i < v->n_rows; i++)
        if (v->cells[i].tile == tile && v->cells[i].x >= 0) {
            width = v->cells[i].x >= width ? v->cells[i].x + 1 : width;
            height = v->cells[i].y >= height ? v->cells[i].y + 1 : height;
        }
    if (k < 1 || width == 0)
        return;
    int lines = n_lines(k, width, height);
    for (int i = 0; i < v->n_rows; i++) {
        const svlm_cell *c = &v->cells[i];
        if (c->tile != tile || c->x < 0)
            continue;
        int line = pick_at(c->y, lines, height);
        if (line < 0)
            continue;
        int64_t in_line = ((int64_t)line + 1) * k / lines - (int64_t)line * k / lines;
        if (in_line > 0 && pick_at(c->x, (int)in_line, width) >= 0)
            s->kept[i] = 1;
    }
}

svlm_status sv_uniform_reduce(sv_pruner *p, const svlm_reduce_view *v, int k, sv_stage *s)
{
    sv_arena a = { 0 };
    int32_t *size = NULL, *quota = NULL;
    int n_tiles = 0;
    for (int i = 0; i < v->n_rows; i++) {
        n_tiles = v->cells[i].tile >= n_tiles ? v->cells[i].tile + 1 : n_tiles;
        k -= s->kept[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        size = sv_take(&a, (size_t)n_tiles, sizeof *size);
        quota = sv_take(&a, (size_t)n_tiles, sizeof *quota);
        svlm_status st = pass ? SVLM_OK : sv_block_fit(&p->work, &a);
        if (st)
            return st;
    }
    for (int t = 0; t < n_tiles; t++)
        size[t] = 0;
    for (int i = 0; i < v->n_rows; i++)
        size[v->cells[i].tile] += v->cells[i].x >= 0;
    sv_share(quota, k > 0 ? k : 0, size, n_tiles);
    for (int t = 0; t < n_tiles; t++)
        pick_tile(v, t, quota[t], s);
    return SVLM_OK;
}
