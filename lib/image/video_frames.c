/* SPDX-License-Identifier: MIT */
/* Frames of a video: which ones to take, how to get to them, and their pixels. */
#include "image/video.h"

#include <inttypes.h>
#include <math.h>

size_t sv_video_exact_bytes = (size_t)256 << 20;
enum { EXACT_FRAMES = 1 << 22, NEAR_SECONDS = 1 };

/* ---- decoding ------------------------------------------------------------- */

/* Streams that stamp packets with when they are decoded, not when their picture is
 * shown: pictures come out in the order shown, so each has the earliest time left. */
static void push_time(svlm_video *v, int64_t t)
{
    if (v->n_waiting == SV_MAX_WAITING)
        memmove(v->waiting, v->waiting + 1, (size_t)--v->n_waiting * sizeof t);
    v->waiting[v->n_waiting++] = t;
}

static int64_t pop_time(svlm_video *v)
{
    if (!v->n_waiting)
        return AV_NOPTS_VALUE;
    int64_t t = v->waiting[0];
    memmove(v->waiting, v->waiting + 1, (size_t)--v->n_waiting * sizeof t);
    return t;
}

/* Before the place we are bound for, only pictures that others are made from matter. */
static void set_hurry(svlm_video *v, int64_t t)
{
    int hurries = v->has_pts && t != AV_NOPTS_VALUE && t < v->hurry_until;
    v->dec->skip_frame = hurries ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
    if (hurries && t > v->hurried)
        v->hurried = t;
}

static svlm_status send_packet(svlm_video *v, svlm_error *err)
{
    int end;
    svlm_status st = sv_video_packet(v, &end, err);
    if (st)
        return st;
    if (!v->has_pts && !end)
        push_time(v, sv_video_time(v->packet));
    if (!end)
        set_hurry(v, sv_video_time(v->packet));
    /* A packet the decoder cannot use is like one that was lost: the next may do. */
    int code = avcodec_send_packet(v->dec, end ? NULL : v->packet);
    if (code == AVERROR(ENOMEM))
        return sv_video_fail(v, code, "decoding", err);
    return SVLM_OK;
}

/* Moves on by one frame: next becomes cur, and the frame after it next. At the end
 * next is left empty. */
static svlm_status advance(svlm_video *v, svlm_error *err)
{
    int64_t before = v->next->width ? v->next_time : v->cur_time;
    if (v->next->width) {
        av_frame_unref(v->cur);
        av_frame_move_ref(v->cur, v->next);
        v->cur_time = v->next_time;
    }
    while (!v->is_drained) {
        int code = avcodec_receive_frame(v->dec, v->next);
        if (code == AVERROR_EOF)
            v->is_drained = 1;
        if (code == AVERROR(ENOMEM))
            return sv_video_fail(v, code, "decoding", err);
        if (code == AVERROR(EAGAIN)) {
            svlm_status st = send_packet(v, err);
            if (st)
                return st;
        }
        if (code)
            continue;
        int64_t t = v->has_pts ? v->next->best_effort_timestamp : pop_time(v);
        v->next_time = t != AV_NOPTS_VALUE ? t : before + 1;
        return SVLM_OK;
    }
    return SVLM_OK;
}

static void forget_frames(svlm_video *v)
{
    avcodec_flush_buffers(v->dec);
    av_frame_unref(v->cur);
    av_frame_unref(v->next);
    v->cur_time = v->next_time = v->base;
    v->n_waiting = 0;
    v->is_drained = 0;
}

/* ---- going places --------------------------------------------------------- */

static int64_t ticks(const svlm_video *v, double seconds)
{
    return (int64_t)floor(fmin(seconds / av_q2d(v->time_base), 1e15));
}

/* Where pictures are neither stamped nor sent in the order shown (B-frames in AVI), all
 * before them must be decoded to know which one it is. */
static int must_count(const svlm_video *v)
{
    return !v->has_pts && v->dec->has_b_frames;
}

/* Decodes from a point at or before time t, as near as the file allows. What the index
 * says can be wrong, and pictures shown before a key frame may need the one before it,
 * so step back until a frame is found that is not too late; from the start if need be. */
static svlm_status seek_before(svlm_video *v, int64_t t, svlm_error *err)
{
    svlm_status st;
    for (double margin = 0; !must_count(v) && t - ticks(v, margin) >= v->base;
         margin = margin * 4 + 1) {
        if (av_seek_frame(v->fmt, v->stream, t - ticks(v, margin), AVSEEK_FLAG_BACKWARD) < 0)
            break;
        forget_frames(v);
        if ((st = advance(v, err)))
            return st;
        if (v->next->width && v->next_time <= t)
            return SVLM_OK;
    }
    forget_frames(v);
    if ((st = sv_video_restart(v, err)))
        return st;
    return advance(v, err);
}

/* Is there a key frame between where we are and t, or, where the index does not tell,
 * is t so far ahead that there should be? */
static int should_seek(const svlm_video *v, int64_t t)
{
    if (!v->next->width && !v->cur->width)
        return 1;
    int64_t here = v->next->width ? v->next_time : v->cur_time;
    if (v->cur->width && t < v->cur_time)
        return 1;
    if (must_count(v))
        return 0;
    const AVIndexEntry *key = avformat_index_get_entry_from_timestamp(
        v->fmt->streams[v->stream], t, AVSEEK_FLAG_BACKWARD);
    return key ? key->timestamp > here : t - here > ticks(v, 2);
}

static svlm_status move_to(svlm_video *v, int64_t t, int seeks, svlm_error *err)
{
    svlm_status st = seeks ? seek_before(v, t, err) : SVLM_OK;
    while (!st && v->next->width && (v->next_time <= t || !v->cur->width))
        st = advance(v, err);
    if (!st && !v->cur->width)
        st = sv_fail(err, SVLM_ERR_FORMAT, "%s: no frame of the video can be decoded",
                     v->file.path);
    return st;
}

svlm_status sv_video_go_to(svlm_video *v, int64_t t, svlm_error *err)
{
    v->hurry_until = t - ticks(v, NEAR_SECONDS);
    v->hurried = INT64_MIN;
    svlm_status st = move_to(v, t, should_seek(v, t), err);
    v->hurry_until = INT64_MIN;
    /* A picture was left out that is still shown at t: nothing follows it for so long. */
    if (!st && v->cur_time < v->hurried)
        st = move_to(v, t, 1, err);
    return st;
}

/* ---- pixels --------------------------------------------------------------- */

/* The formats named J are full-range ones under another name. */
static enum AVPixelFormat plain_format(int format, int *is_full_range)
{
    static const enum AVPixelFormat pairs[][2] = {
        { AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P }, { AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P },
        { AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P }, { AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P },
        { AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (format == (int)pairs[i][0]) {
            *is_full_range = 1;
            return pairs[i][1];
        }
    return (enum AVPixelFormat)format;
}

static svlm_status to_rgb(svlm_video *v, const AVFrame *f, svlm_error *err)
{
    int full = f->color_range == AVCOL_RANGE_JPEG;
    enum AVPixelFormat format = plain_format(f->format, &full);
    if ((uint64_t)f->width * (uint64_t)f->height > v->opt.max_pixels)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: a frame of %d x %d pixels, the limit is %" PRIu64,
                       v->file.path, f->width, f->height, v->opt.max_pixels);
    if (!sws_isSupportedInput(format))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: this kind of pixels is not supported",
                       v->file.path);
    v->sws = sws_getCachedContext(v->sws, f->width, f->height, format, f->width, f->height,
                                  AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT |
                                  SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (v->rgb->width != f->width || v->rgb->height != f->height) {
        av_frame_unref(v->rgb);
        v->rgb->format = AV_PIX_FMT_RGB24;
        v->rgb->width = f->width;
        v->rgb->height = f->height;
        if (av_frame_get_buffer(v->rgb, 0) < 0)
            v->rgb->width = 0;
    }
    if (!v->sws || !v->rgb->width)
        return sv_video_fail(v, AVERROR(ENOMEM), "a frame", err);
    sws_setColorspaceDetails(v->sws, sws_getCoefficients(f->colorspace), full,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    int n = sws_scale(v->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
                      v->rgb->data, v->rgb->linesize);
    return n == f->height ? SVLM_OK : sv_video_fail(v, n < 0 ? n : AVERROR_UNKNOWN,
                                                    "converting a frame", err);
}

static svlm_status make_image(svlm_video *v, const AVFrame *f, svlm_image **out, svlm_error *err)
{
    svlm_status st = to_rgb(v, f, err);
    if (st || (st = svlm_image_from_rgb(out, v->rgb->data[0], f->width, f->height,
                                        (size_t)v->rgb->linesize[0], err)))
        return st;
    if ((st = sv_image_orient(out, v->orientation, err))) {
        svlm_image_close(*out);
        *out = NULL;
    }
    return st;
}

static double seconds_of(const svlm_video *v, int64_t t)
{
    return (double)(t - v->base) * av_q2d(v->time_base);
}

/* ---- which frames --------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* When each frame of the span is shown, ascending: sv_free(*times). More than can be
 * listed: *n is 0. */
static svlm_status list_times(svlm_video *v, int64_t **times, size_t *n, svlm_error *err)
{
    size_t cap = 0;
    svlm_status st = sv_video_restart(v, err);
    int64_t last = v->base - 1;
    *n = 0;
    for (int end = 0; !st && *n < EXACT_FRAMES;) {
        if ((st = sv_video_packet(v, &end, err)) || end)
            break;
        int64_t t = sv_video_time(v->packet);
        last = t = t != AV_NOPTS_VALUE ? t : last + 1;
        if (t < v->start || t >= v->end || v->packet->flags & AV_PKT_FLAG_DISCARD)
            continue;
        if (*n == cap) {
            int64_t *more = sv_realloc(SV_MEM_TEMP, *times, cap = cap ? 2 * cap : 1024, sizeof t);
            if (!more)
                return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for its times", v->file.path);
            *times = more;
        }
        (*times)[(*n)++] = t;
    }
    if (*n == EXACT_FRAMES)
        *n = 0;
    else if (*n)
        qsort(*times, *n, sizeof **times, by_value);
    else if (!st)
        st = sv_fail(err, SVLM_ERR_ARG, "%s: no frame is shown from %g seconds on", v->file.path,
                     v->opt.start);
    return st;
}

/* trunc(linspace(0, n - 1, n_wanted)[i]) as NumPy rounds it. */
static int64_t pick(int64_t n, int n_wanted, int i)
{
    if (n_wanted == 1)
        return 0;
    return i == n_wanted - 1 ? n - 1 : (int64_t)(i * ((double)(n - 1) / (n_wanted - 1)));
}

/* By the clock, as if the frame rate were constant; half a frame later, so that rounded
 * times fall on the right side. */
static svlm_status spread(svlm_video *v, int64_t *wanted, int n_wanted, svlm_error *err)
{
    svlm_video_info info;
    SVLM_INIT(&info);
    svlm_status st = svlm_video_get_info(v, &info);
    if (st || !(info.seconds > 0))
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: a file this large has to say how long it is",
                       v->file.path);
    double fps = info.fps > 0 ? info.fps : 25;
    int64_t n = llround(fmin(info.seconds * fps, 1e15));
    for (int i = 0; i < n_wanted; i++)
        wanted[i] = v->start + ticks(v, ((double)pick(n > 0 ? n : 1, n_wanted, i) + 0.5) / fps);
    return SVLM_OK;
}

static svlm_status choose_times(svlm_video *v, int64_t *wanted, int n_wanted, svlm_error *err)
{
    int64_t *times = NULL;
    size_t n = 0;
    svlm_status st = SVLM_OK;
    if (v->file.size <= sv_video_exact_bytes)
        st = list_times(v, &times, &n, err);
    for (int i = 0; !st && n && i < n_wanted; i++)
        wanted[i] = times[pick((int64_t)n, n_wanted, i)];
    sv_free(times);
    return st || n ? st : spread(v, wanted, n_wanted, err);
}

/* ---- public --------------------------------------------------------------- */

static svlm_status sample(svlm_video *v, int n, svlm_image **frames, double *seconds,
                          svlm_error *err)
{
    int64_t *wanted = sv_malloc(SV_MEM_TEMP, (size_t)n, sizeof *wanted);
    svlm_status st = wanted ? choose_times(v, wanted, n, err)
                            : sv_fail(err, SVLM_ERR_NOMEM, "no memory for %d frames", n);
    if (!st)
        forget_frames(v);
    int64_t shown = 0;
    for (int i = 0; !st && i < n; i++) {
        if ((st = sv_video_go_to(v, wanted[i], err)))
            break;
        if (i && v->cur_time == shown)
            frames[i] = svlm_image_ref(frames[i - 1]);
        else
            st = make_image(v, v->cur, &frames[i], err);
        shown = v->cur_time;
        if (seconds)
            seconds[i] = seconds_of(v, shown);
    }
    sv_free(wanted);
    return st;
}

svlm_status svlm_video_sample(svlm_video *v, int n, svlm_image **frames, double *seconds,
                              svlm_error *err)
{
    if (!v || !frames || n < 1)
        return sv_fail(err, SVLM_ERR_ARG, "%d frames of a video cannot be taken", n);
    for (int i = 0; i < n; i++)
        frames[i] = NULL;
    sv_video_enter(v);
    v->is_playing = 0;
    svlm_status st = sample(v, n, frames, seconds, err);
    for (int i = 0; st && i < n; i++) {
        svlm_image_close(frames[i]);
        frames[i] = NULL;
    }
    sv_video_leave(v);
    return st;
}

/* From the first frame shown at or after the start of the span to the last before its
 * end. */
static svlm_status play(svlm_video *v, svlm_image **frame, double *seconds, svlm_error *err)
{
    svlm_status st;
    if (!v->is_playing) {
        forget_frames(v);
        st = sv_video_go_to(v, v->start, err);
        if (!st && v->cur_time < v->start)
            st = advance(v, err);
        v->is_playing = !st;
    } else if (!v->next->width) {
        return SVLM_END;
    } else {
        st = advance(v, err);
    }
    if (st)
        return st;
    if (v->cur_time >= v->end || v->cur_time < v->start)
        return SVLM_END;
    if (seconds)
        *seconds = seconds_of(v, v->cur_time);
    return make_image(v, v->cur, frame, err);
}

svlm_status svlm_video_next(svlm_video *v, svlm_image **frame, double *seconds, svlm_error *err)
{
    if (frame)
        *frame = NULL;
    if (!v || !frame)
        return sv_fail(err, SVLM_ERR_ARG, "no video was given");
    sv_video_enter(v);
    svlm_status st = play(v, frame, seconds, err);
    sv_video_leave(v);
    return st;
}
