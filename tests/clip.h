/* SPDX-License-Identifier: MIT */
/* Video clips made by tests with libav's encoders. Every frame carries its number. */
#ifndef SV_CLIP_H
#define SV_CLIP_H

#include "check.h"

#include "image/image.h"
#include "shapes.h"

typedef struct clip {
    const char *container;        /* muxer: "mp4", "matroska" ...                     */
    const char *codec;            /* encoder, NULL: sound only                        */
    const char *pixels;           /* pixel format, NULL: yuv420p                      */
    int n_frames;
    int gop, n_b;                 /* 0: 12; B-frames between others                   */
    int width, height;            /* 0: 96 x 64                                       */
    int turn;                     /* degrees clockwise, in the display matrix         */
    const int *ms;                /* [n_frames] when each is shown; NULL: 25 a second */
    int n_sounds;                 /* sound streams besides                            */
    int grows;                    /* the second half has larger frames                */
    int is_live;                  /* written without seeking back                     */
    const shape *shapes;          /* [n_frames] what each shows instead of its number */
} clip;

/* 0: libav here lacks the encoder. */
int clip_make(const char *path, const clip *c);
/* The number a frame carries. */
int clip_number(const svlm_image *frame);

#endif
