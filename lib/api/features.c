/* SPDX-License-Identifier: MIT */
/* Features for a caller: encoded by a model, or brought along. */
#include "api/model.h"
#include "base/options.h"

svlm_status svlm_features_encode(svlm_features **out, svlm_model *model, const svlm_image *image,
                                 const svlm_features_options *opt, svlm_error *err)
{
    svlm_features_options o;
    svlm_status st;
    if (!out || !model || !image)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_features_encode: an argument is NULL");
    *out = NULL;
    if ((st = sv_options_read(&o, sizeof o, opt, "svlm_features_options", err)))
        return st;
    if (!model->has_vision)
        return sv_fail(err, SVLM_ERR_ARG, "%s was opened without an mmproj file, so it cannot see "
                       "pictures", model->text.map.path);
    if ((st = sv_model_check_files(model, err)))
        return st;
    return sv_vision_encode(out, &model->vit, model->kernels, model->n_threads, model->precise,
                            image, &o, err);
}

/* Rows without a known geometry are taken as the smallest square that holds them. */
static void lay_out_square(svlm_cell *cell, int n)
{
    int side = 1;
    while ((int64_t)side * side < n)
        side++;
    for (int i = 0; i < n; i++)
        cell[i] = (svlm_cell) { .x = (int16_t)(i % side), .y = (int16_t)(i / side) };
}

svlm_status svlm_features_from_rows(svlm_features **out, svlm_model *model, const float *rows,
                                    int n_rows, svlm_error *err)
{
    enum { MAX_ROWS = 1 << 20 };
    if (!out || !model || !rows)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_features_from_rows: an argument is NULL");
    *out = NULL;
    if (n_rows < 1 || n_rows > MAX_ROWS)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_features_from_rows: %d rows; 1 to %d are possible",
                       n_rows, MAX_ROWS);
    svlm_status st = sv_features_new(out, n_rows, model->llm.n_embd, err);
    if (st)
        return st;
    memcpy((*out)->rows, rows, (size_t)n_rows * model->llm.n_embd * sizeof *rows);
    lay_out_square((*out)->cells, n_rows);
    return SVLM_OK;
}
