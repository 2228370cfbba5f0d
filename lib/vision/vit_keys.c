/* SPDX-License-Identifier: MIT */
/* The metadata of an mmproj file (FORMATS.md, 6.1 and 7), checked. */
#include "vision/vit_keys.h"

#include <math.h>
#include <string.h>

#include "gguf/gguf_read.h"

enum { MAX_SIZE = 8192, MAX_WIDTH = 1 << 16, MAX_BLOCKS = 1024, MAX_PINPOINTS = 1024 };

#define KEY "clip.vision."

static int span_is(sv_span s, const char *text)
{
    return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

/* For messages. */
static int shown(sv_span s)
{
    return s.n < 60 ? (int)s.n : 60;
}

static int holds_numbers(const sv_gguf_array *a)
{
    return sv_gguf_type_bytes(a->type) > 0;
}

static svlm_status check_architecture(const sv_gguf *g, svlm_error *err)
{
    sv_span arch = { 0 };
    int has_vision = 0;
    svlm_status st = sv_gguf_get_str(g, "general.architecture", &arch, err);
    if (st)
        return st;
    if (span_is(arch, "llama"))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: this is a language model, not an mmproj file",
                       g->map->path);
    if (!span_is(arch, "clip"))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: architecture %.*s is not a vision tower that we can run (clip)",
                       g->map->path, shown(arch), arch.p);
    if ((st = sv_gguf_opt_bool(g, "clip.has_vision_encoder", &has_vision, err)))
        return st;
    if (!has_vision)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the file has no vision encoder", g->map->path);
    return SVLM_OK;
}

/* The oldest files do not name the projector: it is the MLP. */
static svlm_status check_projector(const sv_gguf *g, svlm_error *err)
{
    sv_span type = { "mlp", 3 };
    svlm_status st;
    if ((st = sv_gguf_opt_str(g, "clip.projector_type", &type, err)) ||
        (st = sv_gguf_opt_str(g, KEY "projector_type", &type, err)))
        return st;
    if (!span_is(type, "mlp"))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: projector type %.*s is not supported (only mlp)", g->map->path,
                       shown(type), type.p);
    if (sv_gguf_find(g, "mm.3.weight") || sv_gguf_find(g, "mm.4.weight"))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: an MLP projector with norms is not supported", g->map->path);
    return SVLM_OK;
}

/* An integer in 1..max. */
static svlm_status get_size(const sv_gguf *g, const char *key, uint32_t max, int *out,
                            svlm_error *err)
{
    uint32_t value = 0;
    svlm_status st = sv_gguf_get_u32(g, key, &value, err);
    if (st)
        return st;
    if (value < 1 || value > max)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s is %u, expected 1 to %u", g->map->path, key,
                       (unsigned)value, (unsigned)max);
    *out = (int)value;
    return SVLM_OK;
}

static svlm_status read_sizes(sv_vit *v, const sv_gguf *g, svlm_error *err)
{
    svlm_status st;
    if ((st = get_size(g, KEY "image_size", MAX_SIZE, &v->image_size, err)) ||
        (st = get_size(g, KEY "patch_size", (uint32_t)v->image_size, &v->patch, err)) ||
        (st = get_size(g, KEY "embedding_length", MAX_WIDTH, &v->n_embd, err)) ||
        (st = get_size(g, KEY "feed_forward_length", MAX_WIDTH * 4, &v->n_ff, err)) ||
        (st = get_size(g, KEY "attention.head_count", (uint32_t)v->n_embd, &v->n_heads, err)) ||
        (st = get_size(g, KEY "block_count", MAX_BLOCKS, &v->n_blocks, err)))
        return st;
    if (v->image_size % v->patch)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: image_size %d is not a multiple of patch_size %d",
                       g->map->path, v->image_size, v->patch);
    if (v->n_embd % v->n_heads)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: embedding_length %d is not a multiple of head_count %d",
                       g->map->path, v->n_embd, v->n_heads);
    uint32_t kv_heads = (uint32_t)v->n_heads;
    if ((st = sv_gguf_opt_u32(g, KEY "attention.head_count_kv", &kv_heads, err)))
        return st;
    if (kv_heads != (uint32_t)v->n_heads)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                       "%s: a tower with %d heads but %u for keys is not supported",
                       g->map->path, v->n_heads, (unsigned)kv_heads);
    return SVLM_OK;
}

static svlm_status read_eps_and_activation(sv_vit *v, const sv_gguf *g, svlm_error *err)
{
    int gelu = 0, silu = 0;
    svlm_status st;
    v->eps = 1e-5f;
    if ((st = sv_gguf_opt_f32(g, KEY "attention.layer_norm_epsilon", &v->eps, err)) ||
        (st = sv_gguf_opt_bool(g, "clip.use_gelu", &gelu, err)) ||
        (st = sv_gguf_opt_bool(g, "clip.use_silu", &silu, err)))
        return st;
    if (!(v->eps > 0) || !isfinite(v->eps))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: layer_norm_epsilon is %g", g->map->path,
                       (double)v->eps);
    if (gelu && silu)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: both use_gelu and use_silu are set",
                       g->map->path);
    v->act = gelu ? SV_ACT_GELU : silu ? SV_ACT_SILU : SV_ACT_GELU_QUICK;
    return SVLM_OK;
}

/* Three floats, which stay what they are when the key is missing. */
static svlm_status read_rgb(float out[3], const sv_gguf *g, const char *key, svlm_error *err)
{
    sv_gguf_array a = { 0 };
    svlm_status st = sv_gguf_opt_array(g, key, &a, err);
    if (st || !a.data)
        return st;
    if (a.n != 3 || !holds_numbers(&a))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s does not hold three numbers", g->map->path,
                       key);
    for (uint64_t i = 0; i < 3; i++)
        out[i] = (float)sv_gguf_number(&a, i);
    return SVLM_OK;
}

static svlm_status read_colours(sv_preproc *p, const sv_gguf *g, svlm_error *err)
{
    static const sv_preproc clip = { .mean = { 0.48145466f, 0.4578275f, 0.40821073f },
                                     .std = { 0.26862954f, 0.26130258f, 0.27577711f } };
    svlm_status st;
    memcpy(p->mean, clip.mean, sizeof p->mean);
    memcpy(p->std, clip.std, sizeof p->std);
    if ((st = read_rgb(p->mean, g, KEY "image_mean", err)) ||
        (st = read_rgb(p->std, g, KEY "image_std", err)))
        return st;
    for (int i = 0; i < 3; i++)
        if (!isfinite(p->mean[i]) || !isfinite(p->std[i]) || !(p->std[i] > 0))
            return sv_fail(err, SVLM_ERR_FORMAT,
                           "%s: image_mean %g and image_std %g cannot be used", g->map->path,
                           (double)p->mean[i], (double)p->std[i]);
    return SVLM_OK;
}

/* LLaVA-1.6: sizes of tile grids, whole numbers of tiles. */
static svlm_status read_pinpoints(sv_preproc *p, sv_gguf_array *a, const sv_gguf *g,
                                  svlm_error *err)
{
    const char *key = KEY "image_grid_pinpoints";
    svlm_status st = sv_gguf_opt_array(g, key, a, err);
    if (st || !a->data)
        return st;
    if (a->n < 2 || a->n % 2 || a->n > 2 * MAX_PINPOINTS || !holds_numbers(a))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s does not hold pairs of sizes", g->map->path,
                       key);
    for (uint64_t i = 0; i < a->n; i++) {
        double size = sv_gguf_number(a, i);
        if (!(size >= p->image_size && size <= INT16_MAX) || fmod(size, p->image_size) != 0)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s has a size of %g, not a multiple of %d",
                           g->map->path, key, size, p->image_size);
    }
    p->n_pinpoints = (int)(a->n / 2);
    return SVLM_OK;
}

static svlm_status read_merge_type(sv_vit *v, const sv_gguf *g, svlm_error *err)
{
    sv_span type = { "flat", 4 };
    svlm_status st = sv_gguf_opt_str(g, KEY "mm_patch_merge_type", &type, err);
    if (st)
        return st;
    v->tile_by_tile = span_is(type, "flat");
    v->preproc.unpad = span_is(type, "spatial_unpad");
    if (!v->tile_by_tile && !v->preproc.unpad && !span_is(type, "spatial"))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: mm_patch_merge_type %.*s is not supported",
                       g->map->path, shown(type), type.p);
    return SVLM_OK;
}

/* Features are hidden states: k is the one after k blocks. Files that do not say
 * which hold just the blocks that are needed; with a post_ln it is the whole tower, of
 * which LLaVA takes the last state but one. */
static svlm_status read_features(sv_vit *v, const sv_gguf *g, svlm_error *err)
{
    const char *key = KEY "feature_layer";
    const int max = sizeof v->feature / sizeof *v->feature;
    sv_gguf_array a = { 0 };
    svlm_status st = sv_gguf_opt_array(g, key, &a, err);
    if (st)
        return st;
    if (!a.data) {
        v->n_features = 1;
        v->feature[0] = v->n_run = v->n_blocks - (sv_gguf_find(g, "v.post_ln.weight") != NULL);
        return SVLM_OK;
    }
    if (a.n < 1 || a.n > (uint64_t)max || !holds_numbers(&a))
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s does not hold 1 to %d numbers", g->map->path,
                       key, max);
    v->n_features = (int)a.n;
    for (int i = 0; i < v->n_features; i++) {
        double k = sv_gguf_number(&a, (uint64_t)i);
        if (!(k >= 0 && k <= v->n_blocks) || k != floor(k))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s has %g, the tower has %d blocks",
                           g->map->path, key, k, v->n_blocks);
        v->feature[i] = (int)k;
        v->n_run = v->feature[i] > v->n_run ? v->feature[i] : v->n_run;
    }
    return SVLM_OK;
}

svlm_status sv_vit_read_keys(sv_vit *v, const sv_gguf *g, sv_gguf_array *pinpoints, svlm_error *err)
{
    svlm_status st;
    if ((st = check_architecture(g, err)) ||
        (st = check_projector(g, err)) ||
        (st = read_sizes(v, g, err)) ||
        (st = read_eps_and_activation(v, g, err)) ||
        (st = read_features(v, g, err)) ||
        (st = read_merge_type(v, g, err)) ||
        (st = read_colours(&v->preproc, g, err)))
        return st;
    v->preproc.image_size = v->image_size;
    return read_pinpoints(&v->preproc, pinpoints, g, err);
}
