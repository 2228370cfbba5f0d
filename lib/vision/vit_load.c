/* SPDX-License-Identifier: MIT */
/* An mmproj file, with the quirks of all its converters (FORMATS.md, 6 and 7):
 * what the tower looks like, and where its tensors are. */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "simd/kernels.h"
#include "vision/vit_keys.h"

/* Binding runs twice, like every layout: first without memory, to check every tensor
 * and learn how many floats are copied, then with it. After a failure the rest does
 * nothing. */
typedef struct binder {
    sv_vit *v;
    const sv_gguf *g;
    sv_arena arena;
    char *used;                   /* [n_tensors] of the file */
    svlm_status st;
    svlm_error *err;
} binder;

static const sv_gguf_tensor *find(binder *b, const char *name)
{
    const sv_gguf_tensor *t = b->st ? NULL : sv_gguf_find(b->g, name);
    if (!t && !b->st)
        b->st = sv_fail(b->err, SVLM_ERR_FORMAT, "%s: tensor %s is missing", b->g->map->path, name);
    if (t)
        b->used[t - b->g->tensors] = 1;
    return t;
}

static int is_float(sv_type type)
{
    return type == SV_F32 || type == SV_F16 || type == SV_BF16;
}

/* A tensor of n values as floats. */
static float *bind_floats(binder *b, uint64_t n, const char *name)
{
    const sv_gguf_tensor *t = find(b, name);
    if (!t)
        return NULL;
    if (!is_float(t->type))
        b->st = sv_fail(b->err, SVLM_ERR_FORMAT, "%s: %s has type %s, expected F32, F16 or BF16",
                        b->g->map->path, name, sv_type_get(t->type)->name);
    else if (t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3] != n)
        b->st = sv_fail(b->err, SVLM_ERR_FORMAT, "%s: %s does not hold the %llu values that the "
                        "model needs", b->g->map->path, name, (unsigned long long)n);
    if (b->st)
        return NULL;
    float *to = sv_take(&b->arena, (size_t)n, sizeof *to);
    if (to)
        sv_kernels_get()->dequant[t->type](to, t->data, (size_t)n);
    return to;
}

static float *bind_optional_floats(binder *b, uint64_t n, const char *name)
{
    return !b->st && sv_gguf_find(b->g, name) ? bind_floats(b, n, name) : NULL;
}

static void set_matrix(sv_weight *w, const sv_gguf_tensor *t, int n_in, int n_out)
{
    *w = (sv_weight){ .data = t->data, .type = t->type, .n_in = n_in, .n_out = n_out,
                      .row_bytes = sv_type_bytes(t->type, (size_t)n_in) };
}

/* A matrix of n_out rows (0: as many as the file has, within reason) of n_in values. */
static void bind_matrix(binder *b, sv_weight *w, int n_in, int n_out, const char *name)
{
    enum { MAX_OUT = 1 << 20 };
    const sv_gguf_tensor *t = find(b, name);
    if (!t)
        return;
    if (!n_out)
        n_out = t->dim[1] < MAX_OUT ? (int)t->dim[1] : MAX_OUT;
    if (t->n_dims != 2 || t->dim[0] != (uint64_t)n_in || t->dim[1] != (uint64_t)n_out)
        b->st = sv_fail(b->err, SVLM_ERR_FORMAT, "%s: %s is %llu x %llu, the model needs %d x %d",
                        b->g->map->path, name, (unsigned long long)t->dim[0],
                        (unsigned long long)t->dim[1], n_in, n_out);
    else
        set_matrix(w, t, n_in, n_out);
}

typedef struct tensor_name { char s[64]; } tensor_name;

static tensor_name SV_PRINTF(1, 2) name_of(const char *fmt, ...)
{
    tensor_name n;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(n.s, sizeof n.s, fmt, ap);
    va_end(ap);
    return n;
}

static void bind_norm(binder *b, sv_norm *n, const char *prefix)
{
    n->w = bind_floats(b, (uint64_t)b->v->n_embd, name_of("%s.weight", prefix).s);
    n->b = bind_floats(b, (uint64_t)b->v->n_embd, name_of("%s.bias", prefix).s);
}

static void bind_linear(binder *b, sv_linear *l, int n_in, int n_out, const char *prefix)
{
    bind_matrix(b, &l->w, n_in, n_out, name_of("%s.weight", prefix).s);
    l->b = bind_optional_floats(b, (uint64_t)l->w.n_out, name_of("%s.bias", prefix).s);
}

/* Early converters swapped the names of the two matrices: the one that expands is the
 * one with a row for every hidden value. Sizes that are equal tell nothing; then the
 * names are right. */
static void bind_ffn(binder *b, sv_vit_block *block, int i)
{
    const sv_vit *v = b->v;
    tensor_name up = name_of("v.blk.%d.ffn_up", i), down = name_of("v.blk.%d.ffn_down", i);
    const sv_gguf_tensor *t = find(b, name_of("%s.weight", up.s).s);
    if (t && v->n_embd != v->n_ff && t->dim[0] == (uint64_t)v->n_ff) {
        tensor_name swap = up;
        up = down;
        down = swap;
    }
    bind_linear(b, &block->up, v->n_embd, v->n_ff, up.s);
    bind_linear(b, &block->down, v->n_ff, v->n_embd, down.s);
}

static void bind_block(binder *b, sv_vit_block *block, int i)
{
    int n = b->v->n_embd;
    bind_norm(b, &block->ln1, name_of("v.blk.%d.ln1", i).s);
    bind_linear(b, &block->q, n, n, name_of("v.blk.%d.attn_q", i).s);
    bind_linear(b, &block->k, n, n, name_of("v.blk.%d.attn_k", i).s);
    bind_linear(b, &block->v, n, n, name_of("v.blk.%d.attn_v", i).s);
    bind_linear(b, &block->out, n, n, name_of("v.blk.%d.attn_out", i).s);
    bind_norm(b, &block->ln2, name_of("v.blk.%d.ln2", i).s);
    bind_ffn(b, block, i);
}

static void bind_patches(binder *b)
{
    sv_vit *v = b->v;
    const sv_gguf_tensor *t = find(b, "v.patch_embd.weight");
    uint64_t p = (uint64_t)v->patch;
    if (!t)
        return;
    if (t->dim[0] != p || t->dim[1] != p || t->dim[2] != 3 || t->dim[3] != (uint64_t)v->n_embd)
        b->st = sv_fail(b->err, SVLM_ERR_FORMAT, "%s: v.patch_embd.weight is not %d x %d x 3 x %d",
                        b->g->map->path, v->patch, v->patch, v->n_embd);
    else
        set_matrix(&v->patch_w, t, 3 * v->patch * v->patch, v->n_embd);
    v->patch_b = bind_optional_floats(b, (uint64_t)v->n_embd, "v.patch_embd.bias");
}

static void bind_embedding(binder *b)
{
    sv_vit *v = b->v;
    uint64_t grid = (uint64_t)(v->image_size / v->patch);
    v->has_class = sv_gguf_find(b->g, "v.class_embd") != NULL;
    bind_patches(b);
    v->class_row = bind_optional_floats(b, (uint64_t)v->n_embd, "v.class_embd");
    v->position = bind_floats(b, (grid * grid + (uint64_t)v->has_class) * (uint64_t)v->n_embd,
                              "v.position_embd.weight");
    if (sv_gguf_find(b->g, "v.pre_ln.weight"))
        bind_norm(b, &v->pre_ln, "v.pre_ln");
}

static void bind_projector(binder *b)
{
    sv_vit *v = b->v;
    bind_linear(b, &v->mm0, v->n_features * v->n_embd, 0, "mm.0");
    v->n_out = v->mm0.w.n_out;
    if (sv_gguf_find(b->g, "mm.2.weight")) {
        bind_linear(b, &v->mm2, v->mm0.w.n_out, 0, "mm.2");
        v->n_out = v->mm2.w.n_out;
    }
    const char *newline = "model.image_newline";
    if (!sv_gguf_find(b->g, newline))
        newline = "v.image_newline";
    v->newline = v->preproc.unpad ? bind_floats(b, (uint64_t)v->n_out, newline)
                                  : bind_optional_floats(b, (uint64_t)v->n_out, newline);
}

static void bind_pinpoints(binder *b, const sv_gguf_array *pinpoints)
{
    int32_t *to = sv_take(&b->arena, (size_t)b->v->preproc.n_pinpoints * 2, sizeof *to);
    for (int i = 0; to && i < 2 * b->v->preproc.n_pinpoints; i++)
        to[i] = (int32_t)sv_gguf_number(pinpoints, (uint64_t)i);
    b->v->preproc.pinpoints = to;
}

static void bind(binder *b, const sv_gguf_array *pinpoints)
{
    sv_vit *v = b->v;
    v->blocks = sv_take(&b->arena, (size_t)v->n_run, sizeof *v->blocks);
    bind_embedding(b);
    for (int i = 0; i < v->n_run && !b->st; i++) {
        sv_vit_block measured = { 0 };
        bind_block(b, v->blocks ? &v->blocks[i] : &measured, i);
    }
    bind_projector(b);
    bind_pinpoints(b, pinpoints);
}

/* The last norm, and blocks after the last feature: left out on purpose. */
static int is_beyond(const sv_vit *v, const char *name)
{
    int block;
    return !strncmp(name, "v.post_ln.", 10) ||
           (sscanf(name, "v.blk.%d.", &block) == 1 && block >= v->n_run);
}

/* Tensors that nobody reads may mean that the tower is of another kind. */
static void warn_unused(const binder *b, const sv_log *log)
{
    for (size_t i = 0; i < b->g->n_tensors; i++) {
        const char *name = b->g->tensors[i].name;
        if (!b->used[i] && !is_beyond(b->v, name)) {
            sv_logf(log, SVLM_LOG_WARNING, "%s: tensor %s is not used", b->g->map->path, name);
            return;
        }
    }
}

static svlm_status load(binder *b, const sv_log *log)
{
    sv_gguf_array pinpoints = { 0 };
    svlm_status st = sv_vit_read_keys(b->v, b->g, &pinpoints, b->err);
    if (st)
        return st;
    if (!(b->used = sv_calloc(SV_MEM_TEMP, b->g->n_tensors, 1)))
        return sv_fail(b->err, SVLM_ERR_NOMEM, "no memory to load %s", b->g->map->path);
    bind(b, &pinpoints);
    if (b->st)
        return b->st;
    if (b->arena.overflow || !(b->v->owned = sv_malloc(SV_MEM_MODEL, 1, b->arena.used)))
        return sv_fail(b->err, SVLM_ERR_NOMEM, "no memory for the vision tower of %s",
                       b->g->map->path);
    b->arena = (sv_arena){ .base = b->v->owned, .size = b->arena.used };
    bind(b, &pinpoints);
    warn_unused(b, log);
    return SVLM_OK;
}

svlm_status sv_vit_load(sv_vit *v, const sv_gguf *g, const sv_log *log, svlm_error *err)
{
    binder b = { .v = v, .g = g, .err = err };
    memset(v, 0, sizeof *v);
    svlm_status st = load(&b, log);
    sv_free(b.used);
    if (st)
        sv_vit_free(v);
    return st;
}

void sv_vit_free(sv_vit *v)
{
    sv_free(v->owned);
    memset(v, 0, sizeof *v);
}
