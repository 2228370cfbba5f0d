/* SPDX-License-Identifier: MIT */
/* One picture to one input of the tower: pad or crop to a square, then numbers. */
#include "image/preprocess.h"

#include "image/resize.h"

svlm_status sv_preprocess_pad(svlm_image **out, const svlm_image *image, const sv_preproc *p,
                              svlm_error *err)
{
    int w = svlm_image_width(image), h = svlm_image_height(image), side = w > h ? w : h;
    int s = p->image_size;
    sv_resample r = { .image = image, .canvas_w = side, .canvas_h = side, .at_x = (side - w) / 2,
                      .at_y = (side - h) / 2, .full_w = s, .full_h = s, .w = s, .h = s };
    for (int c = 0; c < 3; c++) {               /* LLaVA pads with the mean, rounded down */
        float v = p->mean[c] * 255.0f;
        r.fill[c] = v >= 255.0f ? 255 : v > 0.0f ? (uint8_t)v : 0;
    }
    return sv_resample_run(out, &r, p->n_threads, err);
}

svlm_status sv_preprocess_crop(svlm_image **out, const svlm_image *image, const sv_preproc *p,
                               svlm_error *err)
{
    int w = svlm_image_width(image), h = svlm_image_height(image), s = p->image_size;
    int shorter = w < h ? w : h;
    sv_resample r = { .image = image, .canvas_w = w, .canvas_h = h, .w = s, .h = s };
    uint64_t full_w = (uint64_t)s * (uint64_t)w / (uint64_t)shorter;
    uint64_t full_h = (uint64_t)s * (uint64_t)h / (uint64_t)shorter;
    if (full_w > INT32_MAX || full_h > INT32_MAX)
        return sv_fail(err, SVLM_ERR_LIMIT, "a picture of %d x %d pixels is too narrow to crop",
                       w, h);
    r.full_w = (int)full_w;
    r.full_h = (int)full_h;
    r.x = (r.full_w - s) / 2;
    r.y = (r.full_h - s) / 2;
    return sv_resample_run(out, &r, p->n_threads, err);
}

void sv_normalize(float *out, const svlm_image *image, const sv_preproc *p)
{
    const uint8_t *pixels = svlm_image_pixels(image);
    size_t n = (size_t)svlm_image_width(image) * (size_t)svlm_image_height(image);
    for (int c = 0; c < 3; c++) {
        float value[256];
        for (int v = 0; v < 256; v++)
            value[v] = ((float)v / 255.0f - p->mean[c]) / p->std[c];
        for (size_t i = 0; i < n; i++)
            out[(size_t)c * n + i] = value[pixels[3 * i + (size_t)c]];
    }
}
