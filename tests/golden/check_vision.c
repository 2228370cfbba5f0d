/* SPDX-License-Identifier: MIT */
/* From the case's picture to the rows the language model sees. */
#include "golden/check_goldens.h"

#include "image/image.h"

static svlm_preproc preproc_of(const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "preproc"));
    if (name && !strcmp(name, "pad"))
        return SVLM_PREPROC_PAD;
    if (name && !strcmp(name, "crop"))
        return SVLM_PREPROC_CROP;
    if (name && !strcmp(name, "anyres"))
        return SVLM_PREPROC_TILES;
    fail_msg("unknown preproc %s", name ? name : "(none)");
    return SVLM_PREPROC_AUTO;
}

static void compare(verdict *v, const svlm_features *f, const char *dir)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/vision.json", dir);
    json_t *json = golden_json(path);
    snprintf(path, sizeof path, "%s/embeds.npy", dir);
    npy embeds = golden_npy(path);
    if (embeds.n != (size_t)f->n_rows * (size_t)f->width)
        differ(v, "%d rows of features, expected %zu", f->n_rows, embeds.dim[0]);
    else
        near_all(v, "embeds", f->rows, embeds.f, embeds.n,
                 number_of(json_object_get(json, "tolerance"), "embeds"));
    npy_free(&embeds);
    json_decref(json);
}

svlm_features *check_vision(verdict *v, const char *mmproj, const char *image_path,
                            const char *dir, const json_t *json)
{
    svlm_features_options o = { .size = sizeof o, .preproc = preproc_of(json) };
    svlm_features *f = NULL;
    svlm_image *image = NULL;
    svlm_error err;
    sv_map map = { 0 };
    sv_gguf gguf = { 0 };
    sv_vit vit = { 0 };
    if (sv_map_file(&map, mmproj, 0, &err) || sv_gguf_parse(&gguf, &map, &err) ||
        sv_vit_load(&vit, &gguf, NULL, &err) || svlm_image_open(&image, image_path, NULL, &err) ||
        sv_vision_encode(&f, &vit, sv_kernels_get(), 1, 1, image, &o, &err))
        differ(v, "%s", err.message);
    else
        compare(v, f, dir);
    svlm_image_close(image);
    sv_vit_free(&vit);
    sv_gguf_free(&gguf);
    sv_map_close(&map);
    return f;
}
