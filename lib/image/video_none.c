/* SPDX-License-Identifier: MIT */
/* In place of video_file.c where the library is built without libav. */
#include "image/image.h"

svlm_status svlm_video_open(svlm_video **out, const char *path, const svlm_video_options *opt,
                            svlm_error *err)
{
    (void)opt;
    if (out)
        *out = NULL;
    return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s cannot be read: this library was built without "
                   "video", path ? path : "a video");
}

svlm_status svlm_video_get_info(const svlm_video *video, svlm_video_info *info)
{
    (void)video;
    (void)info;
    return SVLM_ERR_ARG;
}

svlm_status svlm_video_sample(svlm_video *video, int n, svlm_image **frames, double *seconds,
                              svlm_error *err)
{
    (void)video;
    (void)n;
    (void)frames;
    (void)seconds;
    return sv_fail(err, SVLM_ERR_ARG, "no video was given");
}

svlm_status svlm_video_next(svlm_video *video, svlm_image **frame, double *seconds, svlm_error *err)
{
    (void)video;
    (void)frame;
    (void)seconds;
    return sv_fail(err, SVLM_ERR_ARG, "no video was given");
}

void svlm_video_close(svlm_video *video)
{
    (void)video;
}
