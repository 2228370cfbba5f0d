/* SPDX-License-Identifier: MIT */
/* Which matrices SVLM_LOAD_REPACK lays out anew. */
#include "api/model.h"
#include "base/alloc.h"

/* Weights collected so far; with no list only counted. */
typedef struct bag {
    sv_weight **w;
    size_t n;
} bag;

static void put(bag *b, sv_weight *w)
{
    if (!w->data)
        return;
    if (b->w)
        b->w[b->n] = w;
    b->n++;
}

/* The embedding is read row by row, so it stays as it is; so does an output tied to it. */
static void put_llm(bag *b, sv_llm *m)
{
    for (int i = 0; i < m->n_layers; i++) {
        sv_layer *l = &m->layers[i];
        sv_weight *const all[] = { &l->wq, &l->wk, &l->wv, &l->wo, &l->gate, &l->up, &l->down };
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            put(b, all[j]);
    }
    if (m->output.data != m->token_embd.data)
        put(b, &m->output);
}

static void put_vit(bag *b, sv_vit *v)
{
    for (int i = 0; i < v->n_blocks; i++) {
        sv_vit_block *l = &v->blocks[i];
        sv_linear *const all[] = { &l->q, &l->k, &l->v, &l->out, &l->up, &l->down };
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            put(b, &all[j]->w);
    }
    put(b, &v->mm0.w);
    put(b, &v->mm2.w);
}

static svlm_status repack_half(sv_half *h, const bag *b, const svlm_model *m, svlm_error *err)
{
    return sv_repack(&h->repacked, b->w, b->n, m->kernels, m->n_threads, &h->map, err);
}

svlm_status sv_model_repack(svlm_model *m, svlm_error *err)
{
    bag text = { 0 }, vision = { 0 };
    put_llm(&text, &m->llm);
    put_vit(&vision, &m->vit);
    text.w = sv_calloc(SV_MEM_TEMP, text.n, sizeof *text.w);
    vision.w = sv_calloc(SV_MEM_TEMP, vision.n, sizeof *vision.w);
    svlm_status st = text.w && vision.w ? SVLM_OK
        : sv_fail(err, SVLM_ERR_NOMEM, "no memory for a list of matrices");
    if (!st) {
        text.n = vision.n = 0;
        put_llm(&text, &m->llm);
        put_vit(&vision, &m->vit);
        if (!(st = repack_half(&m->text, &text, m, err)))
            st = repack_half(&m->vision, &vision, m, err);
    }
    sv_free(text.w);
    sv_free(vision.w);
    return st;
}
