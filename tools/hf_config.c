/* SPDX-License-Identifier: MIT */
/* Reads config.json and its companions. What a file leaves out has the value that the
 * Hugging Face library takes for it. What we could not run is refused here, by name. */
#include "hf_config.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"

/* The largest sizes believed; the tensors' shapes are held against all of them. */
enum { MAX_SIZE = 1 << 20, MAX_LAYERS = 1000 };

static svlm_status unsupported(sv_json_reader *r, const char *key, const char *value)
{
    if (!r->status)
        r->status = sv_fail(r->err, SVLM_ERR_UNSUPPORTED, "%s: %s \"%s\" is not supported", r->path,
                            key, value);
    return r->status;
}

static int one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(text, *list))
            return 1;
    return 0;
}

/* ---- language model --------------------------------------------------------- */

/* "rope_scaling": null, or { "type" or "rope_type": "linear", "factor": f }. */
static void read_rope_scaling(sv_hf_config *c, sv_json_reader *r)
{
    const json_t *scaling = json_object_get(r->object, "rope_scaling");
    if (!json_is_object(scaling))
        return;
    sv_json_reader s = { scaling, r->path, r->status, r->err };
    const char *type = sv_json_text(&s, "rope_type", sv_json_text(&s, "type", "default"));
    if (!strcmp(type, "linear"))
        c->rope_factor = (float)sv_json_real(&s, "factor", 0);
    else if (strcmp(type, "default"))
        unsupported(&s, "rope_scaling", type);
    r->status = s.status;
}

static void read_text(sv_hf_config *c, sv_json_reader *r)
{
    static const char *const models[] = {"llama",       "mistral",       "llava",
                                         "llava_llama", "llava_mistral", NULL};
    const char *model = sv_json_text(r, "model_type", "llama"),
               *act = sv_json_text(r, "hidden_act", "silu");
    int mistral = strstr(model, "mistral") != NULL;
    if (!one_of(model, models))
        unsupported(r, "a language model of type", model);
    if (strcmp(act, "silu"))
        unsupported(r, "hidden_act", act);
    if (sv_json_bool(r, "attention_bias", 0) || sv_json_bool(r, "mlp_bias", 0))
        unsupported(r, "attention_bias or mlp_bias", "true");
    c->n_embd = sv_json_int(r, "hidden_size", 4096, 2, MAX_SIZE);
    c->n_ff = sv_json_int(r, "intermediate_size", mistral ? 14336 : 11008, 1, MAX_SIZE);
    c->n_layers = sv_json_int(r, "num_hidden_layers", 32, 1, MAX_LAYERS);
    c->n_heads = sv_json_int(r, "num_attention_heads", 32, 1, MAX_SIZE);
    c->n_kv_heads = sv_json_int(r, "num_key_value_heads", mistral ? 8 : c->n_heads, 1, MAX_SIZE);
    c->head_size = sv_json_int(r, "head_dim", c->n_embd / c->n_heads, 2, MAX_SIZE);
    c->n_ctx = sv_json_int(r, "max_position_embeddings", mistral ? 32768 : 4096, 1, INT_MAX);
    c->eps = (float)sv_json_real(r, "rms_norm_eps", 1e-6);
    c->theta = (float)sv_json_real(r, "rope_theta", 10000);
    c->tied = sv_json_bool(r, "tie_word_embeddings", 0);
    read_rope_scaling(c, r);
    if (!r->status && (c->n_heads % c->n_kv_heads || c->head_size % 2))
        r->status = sv_fail(r->err, SVLM_ERR_FORMAT,
                            "%s: %d heads over %d key heads of %d values make no model", r->path,
                            c->n_heads, c->n_kv_heads, c->head_size);
}

/* ---- vision tower ----------------------------------------------------------- */

/* defaults: whether what is not said is CLIP's base model, as in a vision_config, or the
 * large one of LLaVA, when there is no vision_config at all. */
static void read_tower(sv_hf_config *c, sv_json_reader *r, int base)
{
    static const char *const models[] = { "clip_vision_model", "clip", NULL };
    const char *model = sv_json_text(r, "model_type", "clip_vision_model");
    const char *act = sv_json_text(r, "hidden_act", "quick_gelu");
    if (!one_of(model, models))
        unsupported(r, "a vision tower of type", model);
    c->v_embd = sv_json_int(r, "hidden_size", base ? 768 : 1024, 1, MAX_SIZE);
    c->v_ff = sv_json_int(r, "intermediate_size", base ? 3072 : 4096, 1, MAX_SIZE);
    c->v_layers = sv_json_int(r, "num_hidden_layers", base ? 12 : 24, 1, MAX_LAYERS);
    c->v_heads = sv_json_int(r, "num_attention_heads", base ? 12 : 16, 1, MAX_SIZE);
    c->image_size = sv_json_int(r, "image_size", base ? 224 : 336, 1, 8192);
    c->patch = sv_json_int(r, "patch_size", base ? 32 : 14, 1, 8192);
    c->v_eps = (float)sv_json_real(r, "layer_norm_eps", 1e-5);
    c->gelu = !strcmp(act, "gelu");
    if (!c->gelu && strcmp(act, "quick_gelu"))
        unsupported(r, "hidden_act of the vision tower", act);
}

/* -2 of a tower of 24 is the state after 23 blocks. */
static void add_feature(sv_hf_config *c, sv_json_reader *r, json_int_t layer)
{
    json_int_t after = layer < 0 ? c->v_layers + 1 + layer : layer;
    if (r->status)
        return;
    if (after < 0 || after > c->v_layers || c->n_features == SV_HF_MAX_FEATURES) {
        r->status = sv_fail(r->err, SVLM_ERR_FORMAT,
                            "%s: vision layer %lld does not exist in a tower of %d", r->path,
                            (long long)layer, c->v_layers);
        return;
    }
    c->feature[c->n_features++] = (int)after;
    if (after > c->n_blocks)
        c->n_blocks = (int)after;
}

/* A number or a list of numbers. */
static void read_features(sv_hf_config *c, sv_json_reader *r, const char *key)
{
    const json_t *v = json_object_get(r->object, key);
    if (!json_is_array(v)) {
        add_feature(c, r, sv_json_int(r, key, -2, -MAX_LAYERS, MAX_LAYERS));
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!json_is_integer(json_array_get(v, i)) && !r->status)
            r->status = sv_fail(r->err, SVLM_ERR_FORMAT, "%s: \"%s\" is not a list of numbers",
                                r->path, key);
        add_feature(c, r, json_integer_value(json_array_get(v, i)));
    }
}

/* A list of pairs. The published lists are read as (height, width) by Hugging Face and as
 * (width, height) by the original, whose order decides between equally good grids; where
 * a list holds each pair both ways, both readings give the same set, and it is kept as it
 * is to decide as the original does. */
static void read_pinpoints(sv_hf_config *c, sv_json_reader *r, int height_first)
{
    const json_t *list = json_object_get(r->object, "image_grid_pinpoints");
    int *p = c->pinpoints, n = (int)json_array_size(list), symmetric = 1;
    if (!json_is_array(list) || n > SV_HF_MAX_PINPOINTS) {
        if (list && !json_is_null(list) && !r->status)
            r->status = sv_fail(r->err, SVLM_ERR_FORMAT,
                                "%s: \"image_grid_pinpoints\" is not a list of up to %d pairs",
                                r->path, SV_HF_MAX_PINPOINTS);
        return;
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            json_int_t v =
                json_integer_value(json_array_get(json_array_get(list, (size_t)i), (size_t)k));
            if ((v < 1 || v > MAX_SIZE) && !r->status)
                r->status =
                    sv_fail(r->err, SVLM_ERR_FORMAT,
                            "%s: image_grid_pinpoints %d is not a pair of sizes", r->path, i);
            p[2 * i + k] = (int)v;
        }
    for (int i = 0; i < n; i++) {
        int twin = 0;
        for (int k = 0; k < n; k++)
            twin |= p[2 * k] == p[2 * i + 1] && p[2 * k + 1] == p[2 * i];
        symmetric &= twin;
    }
    for (int i = 0; height_first && !symmetric && i < n; i++) {
        int height = p[2 * i];
        p[2 * i] = p[2 * i + 1];
        p[2 * i + 1] = height;
    }
    c->n_pinpoints = n;
}

/* ---- layouts ---------------------------------------------------------------- */

/* A member that must be an object; absent, the reader finds everything absent. */
static sv_json_reader inner(const sv_json_reader *r, const char *key)
{
    const json_t *v = json_object_get(r->object, key);
    return (sv_json_reader){ json_is_object(v) ? v : NULL, r->path, r->status, r->err };
}

static void read_llava_hf(sv_hf_config *c, sv_json_reader *r)
{
    static const char *const models[] = { "llava", "llava_next", NULL };
    const char *model = sv_json_text(r, "model_type", ""),
               *act = sv_json_text(r, "projector_hidden_act", "gelu");
    const char *strategy = sv_json_text(r, "vision_feature_select_strategy", "default");
    sv_json_reader text = inner(r, "text_config");
    read_text(c, &text);
    sv_json_reader vision = inner(r, "vision_config");
    vision.status = text.status;
    read_tower(c, &vision, vision.object != NULL);
    r->status = vision.status;
    if (!one_of(model, models))
        unsupported(r, "model_type", model);
    if (strcmp(act, "gelu"))
        unsupported(r, "projector_hidden_act", act);
    if (strcmp(strategy, "default"))
        unsupported(r, "vision_feature_select_strategy", strategy);
    c->tied |= sv_json_bool(r, "tie_word_embeddings", 0);
    c->n_projector = 2;
    read_features(c, r, "vision_feature_layer");
    if (!strcmp(model, "llava_next")) {
        read_pinpoints(c, r, 1);
        c->spatial_unpad = 1;
    }
}

/* The tower's own config.json: a whole CLIP model's, or the tower's alone. */
static svlm_status read_tower_folder(sv_hf_config *c, const char *folder, svlm_error *err)
{
    json_t *root;
    svlm_status st = sv_json_load(&root, folder, "config.json", 0, err);
    if (st)
        return st;
    sv_json_reader r = { root, folder, SVLM_OK, err }, whole = inner(&r, "vision_config");
    read_tower(c, whole.object ? &whole : &r, 1);
    st = whole.status ? whole.status : r.status;
    json_decref(root);
    return st;
}

static void read_original(sv_hf_config *c, sv_json_reader *r, const char *vision)
{
    const char *tower = sv_json_text(r, "mm_vision_tower", ""),
               *projector = sv_json_text(r, "mm_projector_type", "linear");
    const char *select = sv_json_text(r, "mm_vision_select_feature", "patch");
    const char *merge = sv_json_text(r, "mm_patch_merge_type", "flat");
    sv_json_reader nothing = { NULL, r->path, SVLM_OK, r->err };
    read_text(c, r);
    if (vision && !r->status)
        r->status = read_tower_folder(c, vision, r->err);
    else if (strstr(tower, "clip-vit-large-patch14-336"))
        read_tower(c, &nothing, 0);
    else
        unsupported(r, "mm_vision_tower", tower);
    if (strcmp(select, "patch"))
        unsupported(r, "mm_vision_select_feature", select);
    c->n_projector = !strcmp(projector, "linear") ? 1 : 2;
    if (c->n_projector == 2 && strcmp(projector, "mlp2x_gelu"))
        unsupported(r, "mm_projector_type", projector);
    read_features(c, r, "mm_vision_select_layer");
    c->spatial_unpad = !strcmp(merge, "spatial_unpad");
    if (!strcmp(sv_json_text(r, "image_aspect_ratio", ""), "anyres"))
        read_pinpoints(c, r, 0);
}

/* ---- companions -------------------------------------------------------------- */

static void read_triple(float out[3], sv_json_reader *r, const char *key, const float fallback[3])
{
    const json_t *v = r->object ? json_object_get(r->object, key) : NULL;
    for (size_t i = 0; i < 3; i++) {
        out[i] = v ? (float)json_number_value(json_array_get(v, i)) : fallback[i];
        if (v && (json_array_size(v) != 3 || !json_is_number(json_array_get(v, i))) && !r->status)
            r->status = sv_fail(r->err, SVLM_ERR_FORMAT,
                                "%s: \"%s\" is not a list of three numbers", r->path, key);
    }
}

static svlm_status read_preprocessor(sv_hf_config *c, const char *folder, svlm_error *err)
{
    static const float mean[] = { 0.48145466f, 0.4578275f, 0.40821073f };
    static const float std[] = { 0.26862954f, 0.26130258f, 0.27577711f };
    json_t *root;
    svlm_status st = sv_json_load(&root, folder, "preprocessor_config.json", 1, err);
    if (st)
        return st;
    sv_json_reader r = { root, "preprocessor_config.json", SVLM_OK, err };
    read_triple(c->mean, &r, "image_mean", mean);
    read_triple(c->std, &r, "image_std", std);
    json_decref(root);
    return r.status;
}

/* An id, or -1; some configurations hold a list of several, of which the first counts. */
static int read_id(sv_json_reader *r, const char *key)
{
    const json_t *v = r->object ? json_object_get(r->object, key) : NULL;
    if (!json_is_array(v))
        return sv_json_int(r, key, -1, -1, INT_MAX);
    json_int_t id =
        json_is_integer(json_array_get(v, 0)) ? json_integer_value(json_array_get(v, 0)) : -1;
    return id >= 0 && id <= INT_MAX ? (int)id : -1;
}

static svlm_status read_tokens(sv_hf_config *c, const sv_json_reader *config, const char *folder,
                               svlm_error *err)
{
    svlm_status st;
    sv_json_reader text = inner(config, "text_config");
    if (!text.object)
        text.object = config->object;
    c->bos = read_id(&text, "bos_token_id");
    c->eos = read_id(&text, "eos_token_id");
    c->pad = read_id(&text, "pad_token_id");
    if (text.status)
        return text.status;
    if ((st = sv_json_load(&c->tokenizer, folder, "tokenizer_config.json", 1, err)) ||
        (st = sv_json_load(&c->added, folder, "added_tokens.json", 1, err)))
        return st;
    sv_json_reader r = { c->tokenizer, "tokenizer_config.json", SVLM_OK, err };
    c->add_bos = sv_json_bool(&r, "add_bos_token", -1);
    c->add_eos = sv_json_bool(&r, "add_eos_token", -1);
    return r.status;
}

svlm_status sv_hf_config_load(sv_hf_config *c, const char *folder, const char *vision,
                              svlm_error *err)
{
    json_t *root;
    svlm_status st;
    memset(c, 0, sizeof *c);
    if ((st = sv_json_load(&root, folder, "config.json", 0, err)))
        return st;
    char *path = sv_path_join(folder, "config.json");
    sv_json_reader r = { root, path ? path : "config.json", SVLM_OK, err };
    if (json_object_get(root, "text_config"))
        read_llava_hf(c, &r);
    else if (json_object_get(root, "mm_vision_tower"))
        read_original(c, &r, vision);
    else
        unsupported(&r, "a model without text_config or mm_vision_tower:",
                    sv_json_text(&r, "model_type", "unknown"));
    if (!(st = r.status) && !(st = read_tokens(c, &r, folder, err)))
        st = read_preprocessor(c, folder, err);
    sv_free(path);
    json_decref(root);
    if (st)
        sv_hf_config_free(c);
    return st;
}

void sv_hf_config_free(sv_hf_config *c)
{
    json_decref(c->tokenizer);
    json_decref(c->added);
    memset(c, 0, sizeof *c);
}
