/* SPDX-License-Identifier: MIT */
/* From pixels to the rows that enter the first block. */
#include <string.h>

#include "tensor/ops.h"
#include "vision/vit.h"

/* Planes to one row a patch, in the order of the convolution's weights: channel, then
 * row, then column. planes: [3][size][size]. */
static void cut_patches(float *patches, const float *planes, int size, int patch)
{
    int grid = size / patch;
    for (int p = 0; p < grid * grid; p++)
        for (int line = 0; line < 3 * patch; line++) {
            int channel = line / patch, y = p / grid * patch + line % patch;
            memcpy(patches, planes + ((size_t)channel * size + y) * size + p % grid * patch,
                   (size_t)patch * sizeof *patches);
            patches += patch;
        }
}

void sv_vit_embed(sv_vit_state *s, const svlm_image *input)
{
    const sv_vit *v = s->v;
    size_t width = (size_t)v->n_embd;
    float *first_patch = s->x + (size_t)v->has_class * width;
    sv_product p = { first_patch, &v->patch_w, v->patch_b };
    sv_normalize(s->planes, input, &v->preproc);
    cut_patches(s->patches, s->planes, v->image_size, v->patch);
    sv_matmul_many(&s->mm, &p, 1, s->patches, s->n_patches);
    if (v->has_class)
        memcpy(s->x, v->class_row, width * sizeof *s->x);
    sv_add(&s->mm, s->x, v->position, s->n_rows, v->n_embd);
    if (v->pre_ln.w)
        sv_layer_norm(&s->mm, s->x, s->x, v->pre_ln.w, v->pre_ln.b, s->n_rows, v->n_embd, v->eps);
}
