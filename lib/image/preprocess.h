/* SPDX-License-Identifier: MIT */
/* One picture to one input of the tower, S x S pixels. */
#ifndef SV_PREPROCESS_H
#define SV_PREPROCESS_H

#include "image/image.h"

/* LLaVA-1.5: on a square of the mean colour, resized. */
svlm_status sv_preprocess_pad(svlm_image **out, const svlm_image *image, const sv_preproc *p,
                              svlm_error *err);
/* CLIP: the shorter side to S, the middle cut out. */
svlm_status sv_preprocess_crop(svlm_image **out, const svlm_image *image, const sv_preproc *p,
                               svlm_error *err);

#endif
