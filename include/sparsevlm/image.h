/* SPDX-License-Identifier: MIT */
/* Pictures and video frames: 8-bit RGB in memory, however they came. */
#ifndef SPARSEVLM_IMAGE_H
#define SPARSEVLM_IMAGE_H

#include <sparsevlm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One picture, immutable, reference counted, usable from any thread. */
typedef struct svlm_image svlm_image;

typedef struct svlm_image_options {
    size_t size;
    uint64_t max_pixels;          /* refuse more, from the header alone; 0: 2^26;
                                     never more than 2^27                        */
    int exif_rotate;              /* 1: apply a JPEG's EXIF orientation             */
} svlm_image_options;

/* Decodes a JPEG, PNG or BMP file (opt may be NULL). Alpha is dropped without
 * blending, grey and palettes expand, 16-bit samples keep their high byte.
 * Errors: IO, FORMAT (damaged), UNSUPPORTED (names the format found), LIMIT. */
SVLM_API svlm_status svlm_image_open(svlm_image **out, const char *path,
                                     const svlm_image_options *opt, svlm_error *err);

/* The same from n_bytes of a file in memory. */
SVLM_API svlm_status svlm_image_decode(svlm_image **out, const void *bytes, size_t n_bytes,
                                       const svlm_image_options *opt, svlm_error *err);

/* Copies width x height RGB pixels whose rows start stride bytes apart. */
SVLM_API svlm_status svlm_image_from_rgb(svlm_image **out, const uint8_t *rgb, int width,
                                         int height, size_t stride, svlm_error *err);

SVLM_API int svlm_image_width(const svlm_image *image);
SVLM_API int svlm_image_height(const svlm_image *image);
/* [height][width][3], valid as long as the image. */
SVLM_API const uint8_t *svlm_image_pixels(const svlm_image *image);
SVLM_API svlm_image *svlm_image_ref(svlm_image *image);
SVLM_API void svlm_image_close(svlm_image *image);      /* NULL is fine */

/* A video file being read, one thread at a time. */
typedef struct svlm_video svlm_video;

typedef struct svlm_video_options {
    size_t size;
    uint64_t max_pixels;          /* of one frame; 0: 2^26                         */
    double deadline;              /* seconds the whole reading may take; 0: 60     */
    double start, end;            /* seconds of the clip to use; end 0: to the end */
} svlm_video_options;

/* Opens a local file with libav. Only regular files, and only containers and
 * codecs of a fixed list; no playlist, no network, no second file is opened.
 * UNSUPPORTED in a library built without video. */
SVLM_API svlm_status svlm_video_open(svlm_video **out, const char *path,
                                     const svlm_video_options *opt, svlm_error *err);

typedef struct svlm_video_info {
    size_t size;
    int width, height;            /* after rotation                              */
    double seconds;               /* of the selected span; 0 if unknown          */
    int64_t n_frames;             /* of the selected span; estimated, 0: unknown */
    double fps;                   /* average; 0 if unknown                       */
    const char *codec, *container;
} svlm_video_info;

SVLM_API svlm_status svlm_video_get_info(const svlm_video *video, svlm_video_info *info);

/* Picks n frames spread evenly, first and last included: index
 * trunc(linspace(0, frames - 1, n)), as LLaVA and Video-LLaVA do. A clip with
 * fewer frames repeats some. frames[n] and seconds[n] (may be NULL) belong to
 * the caller; on failure no frame is left to close. Seeks when frames are far
 * apart; one decoded frame is alive at a time. */
SVLM_API svlm_status svlm_video_sample(svlm_video *video, int n, svlm_image **frames,
                                       double *seconds, svlm_error *err);

/* The next frame in display order, SVLM_END after the last. */
SVLM_API svlm_status svlm_video_next(svlm_video *video, svlm_image **frame, double *seconds,
                                     svlm_error *err);
SVLM_API void svlm_video_close(svlm_video *video);

#ifdef __cplusplus
}
#endif
#endif
