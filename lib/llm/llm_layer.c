/* SPDX-License-Identifier: MIT */
/* One decoder layer: x += attention(norm(x)); x += ffn(norm(x)). It is run over
 * chunks of rows, so that scratch memory does not grow with the prompt, and may
 * stop after keys and values for rows whose output nobody will read. All memory
 * was laid out beforehand, so it cannot fail. */
#include "llm/session.h"

#include <assert.h>
#include <math.h>

#include "tensor/ops.h"
#include "tensor/rope.h"

typedef struct chunk {
    const int32_t *index;         /* [n] rows of the turn          */
    int n, layer;
    int together;                 /* they are neighbours           */
    float *x;                     /* [n][n_embd] their hidden rows */
} chunk;

/* Rows that lie together are worked on where they are, others in a copy. */
static chunk gather(sv_session *s, int layer, const int32_t *index, int n)
{
    size_t width = (size_t)s->m->n_embd;
    float *hidden = s->rows.hidden;
    chunk c = { .index = index, .n = n, .layer = layer };
    c.together = index[n - 1] - index[0] == n - 1;
    c.x = c.together ? hidden + (size_t)index[0] * width : s->x;
    for (int i = 0; !c.together && i < n; i++)
        memcpy(c.x + (size_t)i * width, hidden + (size_t)index[i] * width, width * sizeof(float));
    return c;
}

static void scatter(sv_session *s, const chunk *c)
{
    size_t width = (size_t)s->m->n_embd;
    for (int i = 0; !c->together && i < c->n; i++)
        memcpy(s->rows.hidden + (size_t)c->index[i] * width, c->x + (size_t)i * width,
               width * sizeof(float));
}

static size_t query_width(const sv_session *s)
{
    return (size_t)s->m->n_heads * (size_t)s->m->head_dim;
}

static size_t key_width(const sv_session *s)
{
    return (size_t)s->m->n_kv_heads * (size_t)s->m->head_dim;
}

/* Normed rows to rotated queries, to stored keys and values, or both. q may be NULL. */
static void project(sv_session *s, const chunk *c, float *q, int keys)
{
    const sv_llm *m = s->m;
    const sv_layer *l = &m->layers[c->layer];
    sv_product p[3];
    int n_products = 0, n_pairs = m->head_dim / 2;
    if (q)
        p[n_products++] = (sv_product){ q, &l->wq, l->bq };
    if (keys) {
        p[n_products++] = (sv_product){ s->key, &l->wk, l->bk };
        p[n_products++] = (sv_product){ s->value, &l->wv, l->bv };
    }
    sv_rms_norm(&s->mm, s->xn, c->x, l->attn_norm, c->n, m->n_embd, m->norm_eps);
    sv_matmul_many(&s->mm, p, n_products, s->xn, c->n);

    for (int i = 0; i < c->n; i++)
        s->position[i] = s->rows.position[c->index[i]];
    sv_rope_table(s->cos, s->sin, s->frequency, n_pairs, m->rope_scale, s->position, c->n);
    if (q)
        sv_rope_rows(&s->mm, q, query_width(s), c->n, m->n_heads, s->cos, s->sin, n_pairs);
    if (keys) {
        assert(c->together);
        sv_rope_rows(&s->mm, s->key, key_width(s), c->n, m->n_kv_heads, s->cos, s->sin, n_pairs);
        sv_kv_put(&s->kv, &s->mm, c->layer, s->past[c->layer] + c->index[0], c->n, s->key,
                  s->value);
    }
}

/* Queries over the cache, causal by order in it: limit[i] keys for query i. */
static sv_attention attention_of(const sv_session *s, int layer, const float *q, int n_query,
                                 const int32_t *limit)
{
    const sv_llm *m = s->m;
    return (sv_attention){
        .q = q, .q_stride = query_width(s), .n_query = n_query, .k = sv_kv_keys(&s->kv, layer),
        .v = sv_kv_values(&s->kv, layer), .n_rows = limit[n_query - 1], .limit = limit,
        .n_heads = m->n_heads, .n_kv_heads = m->n_kv_heads, .head_dim = m->head_dim,
        .scale = 1.0f / sqrtf((float)m->head_dim),
    };
}

static void attend(sv_session *s, const chunk *c)
{
    const sv_layer *l = &s->m->layers[c->layer];
    for (int i = 0; i < c->n; i++)
        s->limit[i] = s->past[c->layer] + c->index[i] + 1;
    sv_attention a = attention_of(s, c->layer, s->q, c->n, s->limit);
    sv_attention_run(&s->attention, s->q, a.q_stride, &a);
    sv_matmul_many(&s->mm, &(sv_product){ s->xn, &l->wo, l->bo }, 1, s->q, c->n);
    sv_add(&s->mm, c->x, s->xn, c->n, s->m->n_embd);
}

static void feed_forward(sv_session *s, const chunk *c)
{
    const sv_llm *m = s->m;
    const sv_layer *l = &m->layers[c->layer];
    sv_product p[2] = { { s->gate, &l->gate, NULL }, { s->up, &l->up, NULL } };
    sv_rms_norm(&s->mm, s->xn, c->x, l->ffn_norm, c->n, m->n_embd, m->norm_eps);
    sv_matmul_many(&s->mm, p, 2, s->xn, c->n);
    sv_silu_mul(&s->mm, s->gate, s->gate, s->up, c->n, m->n_ff);
    sv_matmul(&s->mm, s->xn, s->gate, c->n, &l->down);
    sv_add(&s->mm, c->x, s->xn, c->n, m->n_embd);
}

/* Equal shares rather than full chunks and a small rest: few rows cost more each. */
static int chunk_rows(const sv_session *s, int n)
{
    int n_chunks = (n + s->chunk - 1) / s->chunk;
    return n_chunks ? (n + n_chunks - 1) / n_chunks : 1;
}

void sv_llm_layer(sv_session *s, int layer, const int32_t *index, int n, int parts)
{
    int step = chunk_rows(s, n);
    for (int at = 0; at < n; at += step) {
        chunk c = gather(s, layer, index + at, n - at < step ? n - at : step);
        project(s, &c, parts & SV_OUTPUT ? s->q : NULL, parts & SV_KEYS);
        if (parts & SV_OUTPUT) {
            attend(s, &c);
            feed_forward(s, &c);
            scatter(s, &c);
        }
    }
}

size_t sv_llm_attention_floats(const sv_session *s, int n_query)
{
    size_t n_heads = (size_t)s->m->n_heads, n_rows = (size_t)s->rows.n;
    return (size_t)n_query * n_heads * (n_rows + (size_t)s->m->head_dim);
}

void sv_llm_attention(sv_session *s, int layer, const int32_t *query, int n_query, float *p)
{
    int step = chunk_rows(s, n_query), past = s->past[layer];
    float *q = p + (size_t)n_query * (size_t)s->m->n_heads * (size_t)s->rows.n;
    for (int at = 0; at < n_query; at += step) {
        chunk c = gather(s, layer, query + at, n_query - at < step ? n_query - at : step);
        project(s, &c, q + (size_t)at * query_width(s), 0);
    }
    int32_t *limit = s->live;     /* free until the plan's rows are known */
    for (int i = 0; i < n_query; i++)
        limit[i] = past + query[i] + 1;
    sv_attention a = attention_of(s, layer, q, n_query, limit);
    a.n_rows = past + s->rows.n;  /* later keys have probability 0 */
    sv_attention_probabilities(&s->attention, p, past, &a);
}
