/* SPDX-License-Identifier: MIT */
/* A video file being read: video_file.c opens it, video_frames.c takes frames
 * out. Times are timestamps of the stream unless they are called seconds. */
#ifndef SV_VIDEO_H
#define SV_VIDEO_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "base/mapfile.h"
#include "image/image.h"

/* Timestamps of packets sent, for streams that stamp packets but not pictures. A
 * decoder holds back at most 16 pictures, and a few more for its threads. */
enum { SV_MAX_WAITING = 64 };

struct svlm_video {
    sv_map file;
    int64_t at;                   /* position in the file                          */
    svlm_video_options opt;       /* with defaults filled in                       */
    double left, until;           /* seconds for reading; when they are over       */
    int is_late;

    const char *container, *demuxer;
    AVClass quiet;                /* fmt's class, saying less                      */
    AVFormatContext *fmt;
    AVIOContext *io;
    int stream;                   /* its index in fmt                              */
    AVRational time_base;
    int width, height;            /* of the first frame, before it is turned        */
    int orientation;              /* Exif number                                   */
    int64_t base;                 /* the first frame's time                        */
    int64_t start, end;           /* times to use: start <= t < end                */
    int has_pts;                  /* packets say when their picture is shown       */

    AVCodecContext *dec;
    AVPacket *packet;
    AVFrame *cur, *next;          /* two frames that follow each other; empty: none */
    int64_t cur_time, next_time;
    int is_drained;               /* no frame comes after next                     */
    int is_playing;               /* svlm_video_next has begun                     */
    int64_t hurry_until;          /* pictures nobody refers to are left out before it */
    int64_t hurried;              /* the latest time of a packet sent in that hurry */
    int64_t waiting[SV_MAX_WAITING];
    int n_waiting;

    struct SwsContext *sws;
    AVFrame *rgb;
};

/* Starts over from the file's first byte: what works where seeking does not. */
svlm_status sv_video_restart(svlm_video *v, svlm_error *err);
/* The next packet of the stream; *end is 1 after the last. */
svlm_status sv_video_packet(svlm_video *v, int *end, svlm_error *err);
/* The packet's time; AV_NOPTS_VALUE: not known, or absurd. */
int64_t sv_video_time(const AVPacket *packet);

/* Makes cur the last frame shown at or before t; the first frame, if t is earlier. */
svlm_status sv_video_go_to(svlm_video *v, int64_t t, svlm_error *err);

/* Around each public call: only time spent inside counts. */
void sv_video_enter(svlm_video *v);
void sv_video_leave(svlm_video *v);
/* Why a libav call failed; LIMIT when time ran out. */
svlm_status sv_video_fail(svlm_video *v, int code, const char *doing, svlm_error *err);

#endif
