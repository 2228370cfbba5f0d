/* SPDX-License-Identifier: MIT */
/* The tower's features to rows of the language model: two matrices with the exact
 * GELU between them, or a single one. */
#include "tensor/ops.h"
#include "vision/vit.h"

void sv_vit_project(sv_vit_state *s)
{
    const sv_vit *v = s->v;
    int two = v->mm2.w.data != NULL;
    sv_product first = { two ? s->hidden : s->rows, &v->mm0.w, v->mm0.b };
    sv_matmul_many(&s->mm, &first, 1, s->features, s->n_patches);
    if (!two)
        return;
    sv_gelu(&s->mm, s->hidden, s->n_patches, v->mm0.w.n_out);
    sv_product second = { s->rows, &v->mm2.w, v->mm2.b };
    sv_matmul_many(&s->mm, &second, 1, s->hidden, s->n_patches);
}
