/* SPDX-License-Identifier: MIT */
/* What is in a model's files, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "api/model.h"
#include "base/options.h"

static uint64_t n_values(const sv_gguf_tensor *t)
{
    return t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3];       /* checked when it was parsed */
}

static uint64_t count_params(const sv_gguf *g)
{
    uint64_t n = 0;
    for (size_t i = 0; i < g->n_tensors; i++)
        n += n_values(&g->tensors[i]);
    return n;
}

/* The type most of the bytes are in; the file's own claim is only informative. */
static sv_type main_type(const sv_gguf *g)
{
    uint64_t bytes[SV_N_TYPES] = { 0 };
    int best = 0;
    for (size_t i = 0; i < g->n_tensors; i++)
        bytes[g->tensors[i].type] += g->tensors[i].n_bytes;
    for (int t = 1; t < SV_N_TYPES; t++)
        if (bytes[t] > bytes[best])
            best = t;
    return (sv_type)best;
}

/* "6.7 B" or "8.6 M", with a point in every locale */
static void print_count(char *out, size_t cap, uint64_t n)
{
    uint64_t tenth = n >= 1000000000 ? 100000000 : 100000;
    uint64_t tenths = n / tenth + (n % tenth >= tenth / 2);
    snprintf(out, cap, "%" PRIu64 ".%" PRIu64 " %c", tenths / 10, tenths % 10,
             tenth == 100000 ? 'M' : 'B');
}

/* The name in the file, else the file's own without its folder. */
static void find_name(svlm_model *m)
{
    sv_span s = { 0 };
    if (sv_gguf_opt_str(&m->text.gguf, "general.name", &s, NULL) || !s.n) {
        const char *slash = strrchr(m->text.map.path, '/');
        s.p = slash ? slash + 1 : m->text.map.path;
        s.n = strlen(s.p);
    }
    char raw[sizeof m->name];
    snprintf(raw, sizeof raw, "%.*s", s.n < sizeof raw ? (int)s.n : (int)sizeof raw, s.p);
    sv_escape(m->name, sizeof m->name, raw);
}

void sv_model_describe(svlm_model *m)
{
    char size[32];
    uint64_t n_text = count_params(&m->text.gguf);
    m->n_params = n_text + (m->has_vision ? count_params(&m->vision.gguf) : 0);
    print_count(size, sizeof size, n_text);
    snprintf(m->description, sizeof m->description, "llama %s %s", size,
             sv_type_get(main_type(&m->text.gguf))->name);
    find_name(m);
}

static void fill_vision(svlm_model_info *i, const sv_vit *v)
{
    int side = v->image_size / v->patch;
    i->has_vision = 1;
    i->image_size = v->image_size;
    i->patch_size = v->patch;
    i->n_vit_layers = v->n_run;
    i->n_vit_embd = v->n_embd;
    i->n_image_tokens = side * side;
    i->is_anyres = v->preproc.n_pinpoints > 0;
}

svlm_status svlm_model_get_info(const svlm_model *model, svlm_model_info *info)
{
    if (!model)
        return SVLM_ERR_ARG;
    const sv_llm *l = &model->llm;
    svlm_model_info i = {
        .name = model->name,
        .description = model->description,
        .template_name = sv_template_name(model->template),
        .n_layers = l->n_layers,
        .n_embd = l->n_embd,
        .n_heads = l->n_heads,
        .n_kv_heads = l->n_kv_heads,
        .n_ff = l->n_ff,
        .n_vocab = l->n_vocab,
        .n_ctx = l->n_ctx,
        .n_params = model->n_params,
        .n_file_bytes = model->text.map.size + model->vision.map.size,
    };
    if (model->has_vision)
        fill_vision(&i, &model->vit);
    return sv_result_write(info, &i, sizeof i);
}
