/* SPDX-License-Identifier: MIT */
/* LLaVA-1.6: the base view's rows, then those of the detail tiles as one grid with
 * the padding cut off and a newline row after each of its rows (FORMATS.md, 9). */
#include <string.h>

#include "vision/vit.h"

void sv_merge_plan(sv_merge *m, const sv_vit *v, const sv_tiles *t)
{
    int grid = v->image_size / v->patch, base = grid * grid;
    *m = (sv_merge){ .v = v, .grid = grid, .n_inputs = t->n_inputs, .cols = t->cols * grid,
                     .rows = t->rows * grid, .newlines = v->preproc.unpad };
    m->x1 = m->cols;
    m->y1 = m->rows;
    if (t->n_inputs == 1) {
        m->n_rows = base + (v->preproc.unpad && v->preproc.n_pinpoints > 0);
        return;
    }
    if (v->preproc.unpad)
        sv_unpad(m->cols, m->rows, t->orig_width, t->orig_height, &m->x0, &m->x1, &m->y0, &m->y1);
    m->n_rows = base + (m->y1 - m->y0) * (m->x1 - m->x0 + m->newlines);
}

int sv_merge_row(const sv_merge *m, int input, int x, int y)
{
    int base = m->grid * m->grid, across = m->cols / m->grid;
    if (input == 0)
        return y * m->grid + x;
    if (m->v->tile_by_tile)
        return input * base + y * m->grid + x;
    x += (input - 1) % across * m->grid;
    y += (input - 1) / across * m->grid;
    if (x < m->x0 || x >= m->x1 || y < m->y0 || y >= m->y1)
        return -1;
    return base + (y - m->y0) * (m->x1 - m->x0 + m->newlines) + x - m->x0;
}

static void put_newline(const sv_merge *m, svlm_features *f, int row, int tile, int y)
{
    f->cells[row] = (svlm_cell){ (int16_t)tile, -1, (int16_t)y, 0 };
    memcpy(f->rows + (size_t)row * f->width, m->v->newline, (size_t)f->width * sizeof *f->rows);
}

void sv_merge_geometry(const sv_merge *m, svlm_features *f)
{
    int base = m->grid * m->grid, across = m->cols / m->grid;
    for (int i = 0; i < m->n_inputs; i++)
        for (int p = 0; p < base; p++) {
            int x = p % m->grid, y = p / m->grid, row = sv_merge_row(m, i, x, y);
            if (row < 0)
                continue;
            x += i ? (i - 1) % across * m->grid : 0;
            y += i ? (i - 1) / across * m->grid : 0;
            f->cells[row] = (svlm_cell){ i > 0, (int16_t)x, (int16_t)y, 0 };
        }
    if (m->n_inputs == 1 && m->n_rows > base)
        put_newline(m, f, base, 0, m->grid - 1);
    int stride = m->x1 - m->x0 + 1;
    for (int y = m->y0; m->n_inputs > 1 && m->newlines && y < m->y1; y++)
        put_newline(m, f, base + (y - m->y0) * stride + stride - 1, 1, y);
}
