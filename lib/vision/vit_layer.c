/* SPDX-License-Identifier: MIT */
/* One block: x += attention(norm(x)); x += ffn(norm(x)). */
#include <math.h>

#include "tensor/ops.h"
#include "vision/vit.h"

static void apply(const sv_vit_state *s, const sv_linear *l, float *y, const float *x, int n_rows)
{
    sv_product p = { y, &l->w, l->b };
    sv_matmul_many(&s->mm, &p, 1, x, n_rows);
}

static void norm(const sv_vit_state *s, const sv_norm *n)
{
    sv_layer_norm(&s->mm, s->xn, s->x, n->w, n->b, s->n_rows, s->v->n_embd, s->v->eps);
}

static void activate(const sv_vit_state *s)
{
    switch (s->v->act) {
    case SV_ACT_GELU:       sv_gelu(&s->mm, s->ff, s->n_rows, s->v->n_ff); break;
    case SV_ACT_GELU_QUICK: sv_gelu_quick(&s->mm, s->ff, s->n_rows, s->v->n_ff); break;
    case SV_ACT_SILU:       sv_silu(&s->mm, s->ff, s->n_rows, s->v->n_ff); break;
    }
}

void sv_vit_layer(sv_vit_state *s, const sv_vit_block *b)
{
    sv_product qkv[] = { { s->q, &b->q.w, b->q.b }, { s->k, &b->k.w, b->k.b },
                         { s->value, &b->v.w, b->v.b } };
    sv_attention a;
    norm(s, &b->ln1);
    sv_matmul_many(&s->mm, qkv, 3, s->xn, s->n_rows);
    sv_vit_attention(s, &a, s->n_rows);
    sv_attention_run(&s->attention, s->xn, (size_t)s->v->n_embd, &a);
    apply(s, &b->out, s->value, s->xn, s->n_rows);
    sv_add(&s->mm, s->x, s->value, s->n_rows, s->v->n_embd);

    norm(s, &b->ln2);
    apply(s, &b->up, s->ff, s->xn, s->n_rows);
    activate(s);
    apply(s, &b->down, s->xn, s->ff, s->n_rows);
    sv_add(&s->mm, s->x, s->xn, s->n_rows, s->v->n_embd);
}

void sv_vit_attention(const sv_vit_state *s, sv_attention *a, int n_query)
{
    size_t width = (size_t)s->v->n_embd, head = width / (size_t)s->v->n_heads;
    *a = (sv_attention){
        .q = s->q, .q_stride = width, .n_query = n_query,
        .k = { s->k, width, head, 0 }, .v = { s->value, width, head, 0 }, .n_rows = s->n_rows,
        .n_heads = s->v->n_heads, .n_kv_heads = s->v->n_heads, .head_dim = (int)head,
        .scale = 1.0f / sqrtf((float)head),
    };
}
