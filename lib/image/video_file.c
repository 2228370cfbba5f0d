/* SPDX-License-Identifier: MIT */
/* Video files with libav, which is given as little freedom as it can work with:
 * bytes of one file that we opened, one of three demuxers that we chose, no
 * probing, no other file, no network. */
#include "image/video.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

#include <libavutil/display.h>

#include "base/clock.h"
#include "base/options.h"
#include "base/threads.h"
#include "image/decode.h"

enum { IO_BYTES = 1 << 16, MAX_STREAMS = 64, MAX_THREADS = 4, SILENT = 128, FIRST_PACKETS = 32,
       HEAD_BYTES = 1024 };

#define DEFAULT_MAX_PIXELS ((uint64_t)1 << 26)
#define MAX_TIME ((int64_t)1 << 60)

static const enum AVCodecID codecs[] = {
    AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1,
    AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_H263,
    AV_CODEC_ID_MJPEG, AV_CODEC_ID_FFV1, AV_CODEC_ID_PRORES,
};

/* ---- time ----------------------------------------------------------------- */

void sv_video_enter(svlm_video *v)
{
    v->until = sv_seconds() + v->left;
}

void sv_video_leave(svlm_video *v)
{
    double left = v->until - sv_seconds();
    v->left = left > 0 ? left : 0;
}

static int is_late(void *user)
{
    svlm_video *v = user;
    v->is_late |= sv_seconds() > v->until;
    return v->is_late;
}

svlm_status sv_video_fail(svlm_video *v, int code, const char *doing, svlm_error *err)
{
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    if (v->is_late)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: reading it took longer than %g seconds",
                       v->file.path, v->opt.deadline);
    if (code == AVERROR(ENOMEM))
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for %s", v->file.path, doing);
    av_strerror(code, why, sizeof why);
    return sv_fail(err, code == AVERROR(EIO) ? SVLM_ERR_IO : SVLM_ERR_FORMAT, "%s: %s failed: %s",
                   v->file.path, doing, why);
}

/* ---- bytes ---------------------------------------------------------------- */

/* Some of the bytes at a place; 0: it is the end; -1: errno says why. */
static ssize_t read_at(const svlm_video *v, uint8_t *to, size_t n_bytes, int64_t at)
{
    ssize_t n;
    do
        n = pread(v->file.fd, to, n_bytes, (off_t)at);
    while (n < 0 && errno == EINTR);
    return n;
}

static int io_read(void *user, uint8_t *to, int n_bytes)
{
    svlm_video *v = user;
    if (is_late(v))
        return AVERROR_EXIT;
    ssize_t n = read_at(v, to, (size_t)n_bytes, v->at);
    if (n < 0)
        return AVERROR(errno);
    v->at += n;
    return n ? (int)n : AVERROR_EOF;
}

/* The size of the file is kept from libav: knowing it, it prints remarks about packets
 * that are cut short, and it does not need it. */
static int64_t io_seek(void *user, int64_t offset, int whence)
{
    svlm_video *v = user;
    whence &= ~AVSEEK_FORCE;
    if (whence == SEEK_CUR && offset <= INT64_MAX - v->at)
        offset += v->at;
    else if (whence != SEEK_SET)
        return AVERROR(ENOSYS);
    if (offset < 0)
        return AVERROR(EINVAL);
    return v->at = offset;
}

static int io_open_nothing(AVFormatContext *fmt, AVIOContext **io, const char *url, int flags,
                           AVDictionary **options)
{
    (void)fmt;
    (void)io;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EACCES);
}

/* Which demuxer, by our own look at the first bytes: a playlist is text here. */
static svlm_status choose_demuxer(svlm_video *v, svlm_error *err)
{
    static const char *const boxes[] = { "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot" };
    uint8_t head[HEAD_BYTES];
    size_t n = 0;
    for (ssize_t more = 1; more && n < sizeof head; n += (size_t)more)
        if ((more = read_at(v, head + n, sizeof head - n, (int64_t)n)) < 0)
            return sv_fail(err, SVLM_ERR_IO, "cannot read %s: %s", v->file.path, strerror(errno));
    const char *what;
    sv_sniff(head, n, &what);
    if (n >= 4 && !memcmp(head, "\x1a\x45\xdf\xa3", 4)) {
        v->container = "matroska";
        v->demuxer = "matroska";
    } else if (n >= 12 && !memcmp(head, "RIFF", 4) && !memcmp(head + 8, "AVI ", 4)) {
        v->container = "avi";
        v->demuxer = "avi";
    } else if (n >= 8 && !strstr(what, "picture")) {
        for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
            if (!memcmp(head + 4, boxes[i], 4))
                v->container = v->demuxer = "mov";
    }
    if (v->demuxer)
        return SVLM_OK;
    return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s is %s; videos must be MP4, QuickTime, Matroska, "
                   "WebM or AVI", v->file.path, what);
}

/* ---- container ------------------------------------------------------------ */

/* libav logs to standard error unless a process-wide setting says otherwise, which is
 * not ours to change. But a class may name a field whose value is added to the level
 * of each line of its objects: here one that only writing files uses. (SILENT is above
 * every level, and small enough to stay clear of the colour libav keeps in bit 8 up.) */
static void silence(svlm_video *v)
{
    v->quiet = *v->fmt->av_class;
    v->quiet.log_level_offset_offset = (int)offsetof(AVFormatContext, metadata_header_padding);
    v->fmt->av_class = &v->quiet;
    v->fmt->metadata_header_padding = SILENT;
}

static void close_container(svlm_video *v)
{
    avformat_close_input(&v->fmt);
    if (v->io)
        av_freep(&v->io->buffer);
    avio_context_free(&v->io);
}

static svlm_status open_container(svlm_video *v, svlm_error *err)
{
    unsigned char *buffer = av_malloc(IO_BYTES);
    v->at = 0;
    if (buffer && !(v->io = avio_alloc_context(buffer, IO_BYTES, 0, v, io_read, NULL, io_seek)))
        av_free(buffer);
    if (!v->io || !(v->fmt = avformat_alloc_context()))
        return sv_video_fail(v, AVERROR(ENOMEM), "the container", err);
    silence(v);
    v->fmt->pb = v->io;
    v->fmt->io_open = io_open_nothing;
    v->fmt->interrupt_callback = (AVIOInterruptCB){ is_late, v };
    v->fmt->max_streams = MAX_STREAMS;
    /* These containers hold whole frames and say when they are due: no parser, whose
     * logging we could not silence, has to look into them. */
    v->fmt->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
    int code = avformat_open_input(&v->fmt, "", av_find_input_format(v->demuxer), NULL);
    if (code < 0)
        return sv_video_fail(v, code, "opening the container", err);
    return SVLM_OK;
}

static void keep_one_stream(svlm_video *v)
{
    for (unsigned i = 0; i < v->fmt->nb_streams; i++)
        v->fmt->streams[i]->discard = (int)i == v->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

svlm_status sv_video_restart(svlm_video *v, svlm_error *err)
{
    close_container(v);
    svlm_status st = open_container(v, err);
    if (st)
        return st;
    if (v->stream >= (int)v->fmt->nb_streams)
        return sv_fail(err, SVLM_ERR_IO, "%s has changed while it is read", v->file.path);
    keep_one_stream(v);
    return SVLM_OK;
}

int64_t sv_video_time(const AVPacket *packet)
{
    int64_t t = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    return t > -MAX_TIME && t < MAX_TIME ? t : AV_NOPTS_VALUE;
}

svlm_status sv_video_packet(svlm_video *v, int *end, svlm_error *err)
{
    *end = 0;
    for (;;) {
        av_packet_unref(v->packet);
        int code = is_late(v) ? AVERROR_EXIT : av_read_frame(v->fmt, v->packet);
        if (v->is_late || code == AVERROR(EIO) || code == AVERROR(ENOMEM))
            return sv_video_fail(v, code, "reading", err);
        if (code < 0) {                         /* the end, or damage that hides the rest */
            *end = 1;
            return SVLM_OK;
        }
        if (v->packet->stream_index == v->stream)
            return SVLM_OK;
    }
}

/* ---- stream --------------------------------------------------------------- */

/* The Exif number of the turn closest to a display matrix, which maps (x, y) to
 * (m0 x + m3 y, m1 x + m4 y). */
static int orientation_of(const int32_t *m)
{
    static const int straight[4] = { 1, 2, 4, 3 }, exchanged[4] = { 5, 6, 8, 7 };
    if (llabs((long long)m[0]) + llabs((long long)m[4]) >=
        llabs((long long)m[1]) + llabs((long long)m[3]))
        return straight[(m[0] < 0) + 2 * (m[4] < 0)];
    return exchanged[(m[3] < 0) + 2 * (m[1] < 0)];
}

static const int32_t *display_matrix(const AVStream *s)
{
    enum { N_BYTES = 9 * sizeof(int32_t) };
#if LIBAVCODEC_VERSION_MAJOR >= 61
    const AVPacketSideData *side = av_packet_side_data_get(
        s->codecpar->coded_side_data, s->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return side && side->size >= N_BYTES ? (const int32_t *)(const void *)side->data : NULL;
#else
    size_t n = 0;
    const uint8_t *data = av_stream_get_side_data(s, AV_PKT_DATA_DISPLAYMATRIX, &n);
    return data && n >= N_BYTES ? (const int32_t *)(const void *)data : NULL;
#endif
}

static svlm_status choose_stream(svlm_video *v, svlm_error *err)
{
    for (unsigned i = 0; i < v->fmt->nb_streams; i++) {
        const AVStream *s = v->fmt->streams[i];
        if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO ||
            s->disposition & AV_DISPOSITION_ATTACHED_PIC)
            continue;
        if (s->time_base.num <= 0 || s->time_base.den <= 0)
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: the video has no unit of time",
                           v->file.path);
        const int32_t *m = display_matrix(s);
        v->stream = (int)i;
        v->time_base = s->time_base;
        v->orientation = m ? orientation_of(m) : 1;
        keep_one_stream(v);
        return SVLM_OK;
    }
    return sv_fail(err, SVLM_ERR_FORMAT, "%s holds no video", v->file.path);
}

static svlm_status open_decoder(svlm_video *v, svlm_error *err)
{
    const AVCodecParameters *par = v->fmt->streams[v->stream]->codecpar;
    const char *name = avcodec_get_name(par->codec_id);
    const AVCodec *codec = NULL;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
        if (par->codec_id == codecs[i])
            codec = avcodec_find_decoder(par->codec_id);
    if (!codec)
        return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s: the video codec %s is not supported",
                       v->file.path, name);
    if (par->width > 0 && par->height > 0 &&
        (uint64_t)par->width * (uint64_t)par->height > v->opt.max_pixels)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: frames of %d x %d pixels, the limit is %" PRIu64,
                       v->file.path, par->width, par->height, v->opt.max_pixels);
    if (!(v->dec = avcodec_alloc_context3(codec)))
        return sv_video_fail(v, AVERROR(ENOMEM), "a decoder", err);
    int code = avcodec_parameters_to_context(v->dec, par);
    int n_threads = sv_threads_available();
    v->dec->log_level_offset = SILENT;
    v->dec->max_pixels = (int64_t)v->opt.max_pixels;
    v->dec->pkt_timebase = v->time_base;
    v->dec->thread_count = n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
    if (code < 0 || (code = avcodec_open2(v->dec, codec, NULL)) < 0)
        return sv_video_fail(v, code, "opening the decoder", err);
    return SVLM_OK;
}

/* Seconds as a time of this stream, within what arithmetic can bear. */
static int64_t time_after(const svlm_video *v, double seconds)
{
    double t = ceil(seconds / av_q2d(v->time_base) - 1e-6);
    return v->base + (t < (double)MAX_TIME ? (int64_t)t : MAX_TIME);
}

/* The first frame's time: not the first packet's, when pictures are sent in another
 * order than they are shown. */
static svlm_status find_start(svlm_video *v, svlm_error *err)
{
    int n = 0;
    v->base = MAX_TIME;
    for (int end; n < FIRST_PACKETS; n++) {
        svlm_status st = sv_video_packet(v, &end, err);
        if (st)
            return st;
        if (end)
            break;
        int64_t t = sv_video_time(v->packet);
        v->has_pts |= v->packet->pts != AV_NOPTS_VALUE;
        if (t != AV_NOPTS_VALUE && t < v->base && !(v->packet->flags & AV_PKT_FLAG_DISCARD))
            v->base = t;
    }
    if (!n)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the video has no frames", v->file.path);
    if (v->base == MAX_TIME)
        v->base = 0;
    v->start = time_after(v, v->opt.start);
    v->end = v->opt.end > 0 ? time_after(v, v->opt.end) : 2 * MAX_TIME;
    return SVLM_OK;
}

/* ---- public --------------------------------------------------------------- */

static svlm_status read_options(svlm_video_options *o, const svlm_video_options *opt,
                                svlm_error *err)
{
    svlm_status st = sv_options_read(o, sizeof *o, opt, "svlm_video_options", err);
    if (st)
        return st;
    if (!(o->start >= 0) || !(o->end >= 0) || (o->end > 0 && o->end <= o->start))
        return sv_fail(err, SVLM_ERR_ARG, "the part of a video from %g to %g seconds is empty",
                       o->start, o->end);
    if (!(o->deadline >= 0))
        return sv_fail(err, SVLM_ERR_ARG, "a deadline of %g seconds makes no sense", o->deadline);
    o->deadline = o->deadline > 0 ? o->deadline : 60;
    if (!o->max_pixels || o->max_pixels > INT32_MAX)
        o->max_pixels = o->max_pixels ? INT32_MAX : DEFAULT_MAX_PIXELS;
    return SVLM_OK;
}

static svlm_status open_video(svlm_video *v, const char *path, svlm_error *err)
{
    svlm_status st;
    v->left = v->opt.deadline;
    sv_video_enter(v);
    if ((st = sv_map_file(&v->file, path, 0, err)) || (st = choose_demuxer(v, err)))
        return st;
    v->packet = av_packet_alloc();
    v->cur = av_frame_alloc();
    v->next = av_frame_alloc();
    v->rgb = av_frame_alloc();
    if (!v->packet || !v->cur || !v->next || !v->rgb)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a video");
    if ((st = open_container(v, err)) || (st = choose_stream(v, err)) ||
        (st = open_decoder(v, err)) || (st = find_start(v, err)) ||
        (st = sv_video_go_to(v, v->base, err)))
        return st;
    v->width = v->cur->width;                   /* not every container knows */
    v->height = v->cur->height;
    sv_video_leave(v);
    return SVLM_OK;
}

svlm_status svlm_video_open(svlm_video **out, const char *path, const svlm_video_options *opt,
                            svlm_error *err)
{
    svlm_video_options o;
    svlm_status st;
    if (out)
        *out = NULL;
    if (!out || !path)
        return sv_fail(err, SVLM_ERR_ARG, "no video file was named");
    if ((st = read_options(&o, opt, err)))
        return st;
    svlm_video *v = sv_calloc(SV_MEM_IMAGE, 1, sizeof *v);
    if (!v)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a video");
    v->file.fd = -1;
    v->opt = o;
    if ((st = open_video(v, path, err)))
        svlm_video_close(v);
    else
        *out = v;
    return st;
}

/* Of the whole clip; 0: unknown. */
static double clip_seconds(const svlm_video *v)
{
    const AVStream *s = v->fmt->streams[v->stream];
    double t = 0;
    if (s->duration > 0 && s->duration < MAX_TIME)
        t = (double)s->duration * av_q2d(v->time_base);
    else if (v->fmt->duration > 0)
        t = (double)v->fmt->duration / AV_TIME_BASE;
    return t;
}

static double clip_fps(const svlm_video *v)
{
    const AVStream *s = v->fmt->streams[v->stream];
    AVRational r = s->avg_frame_rate.num > 0 && s->avg_frame_rate.den > 0 ? s->avg_frame_rate
                                                                         : s->r_frame_rate;
    return r.num > 0 && r.den > 0 ? av_q2d(r) : 0;
}

svlm_status svlm_video_get_info(const svlm_video *v, svlm_video_info *info)
{
    svlm_video_info mine = { .size = sizeof mine };
    if (!v)
        return SVLM_ERR_ARG;
    const AVStream *s = v->fmt->streams[v->stream];
    int swaps = v->orientation >= 5;
    double whole = clip_seconds(v), to = v->opt.end > 0 && v->opt.end < whole ? v->opt.end : whole;
    mine.width = swaps ? v->height : v->width;
    mine.height = swaps ? v->width : v->height;
    mine.seconds = to > v->opt.start ? to - v->opt.start : 0;
    mine.fps = clip_fps(v);
    mine.n_frames = s->nb_frames > 0 && mine.seconds == whole ? s->nb_frames
                                                              : llround(mine.seconds * mine.fps);
    mine.codec = avcodec_get_name(s->codecpar->codec_id);
    mine.container = v->container;
    return sv_result_write(info, &mine, sizeof mine);
}

void svlm_video_close(svlm_video *v)
{
    if (!v)
        return;
    avcodec_free_context(&v->dec);
    close_container(v);
    av_packet_free(&v->packet);
    av_frame_free(&v->cur);
    av_frame_free(&v->next);
    av_frame_free(&v->rgb);
    sws_freeContext(v->sws);
    sv_map_close(&v->file);
    sv_free(v);
}
