/* SPDX-License-Identifier: MIT */
/* svlm_features: counted, immutable once encoded. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "vision/vision.h"

svlm_status sv_features_new(svlm_features **out, int n_rows, int width, svlm_error *err)
{
    svlm_features *f = sv_calloc(SV_MEM_FEATURES, 1, sizeof *f);
    *out = NULL;
    if (!f)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a picture's features");
    atomic_init(&f->n_refs, 1);
    f->n_rows = n_rows;
    f->width = width;
    f->rows = sv_calloc(SV_MEM_FEATURES, (size_t)n_rows * (size_t)width, sizeof *f->rows);
    f->cells = sv_calloc(SV_MEM_FEATURES, (size_t)n_rows, sizeof *f->cells);
    if (!f->rows || !f->cells) {
        svlm_features_close(f);
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %d rows of features", n_rows);
    }
    *out = f;
    return SVLM_OK;
}

svlm_features *svlm_features_ref(svlm_features *features)
{
    if (features)
        atomic_fetch_add(&features->n_refs, 1);
    return features;
}

void svlm_features_close(svlm_features *features)
{
    if (!features || atomic_fetch_sub(&features->n_refs, 1) > 1)
        return;
    if (features->reuse_free)
        features->reuse_free(features->reuse);
    sv_free(features->rows);
    sv_free(features->cells);
    sv_free(features->class_attention);
    sv_free(features->keys);
    sv_free(features);
}

int svlm_features_n_rows(const svlm_features *features)
{
    return features ? features->n_rows : 0;
}

int svlm_features_width(const svlm_features *features)
{
    return features ? features->width : 0;
}

const float *svlm_features_rows(const svlm_features *features)
{
    return features ? features->rows : NULL;
}

const svlm_cell *svlm_features_cells(const svlm_features *features)
{
    return features ? features->cells : NULL;
}

const float *svlm_features_class_attention(const svlm_features *features)
{
    return features ? features->class_attention : NULL;
}

const float *svlm_features_keys(const svlm_features *features, int *key_width)
{
    if (key_width)
        *key_width = features ? features->key_width : 0;
    return features ? features->keys : NULL;
}
