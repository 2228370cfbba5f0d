/* SPDX-License-Identifier: MIT */
/* Video clips made by tests. */
#include "clip.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/* Asked by the leak sanitizer: encoders are not what is tested, and x265 leaks. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libx265";
}

enum { BITS = 12, COLUMNS = 4, ROWS = 3 };

typedef struct maker {
    const clip *c;
    AVFormatContext *out;
    AVStream *stream;
    AVCodecContext *enc;
    AVPacket *packet;
} maker;

/* A shape, or a grid of 4 x 3 fields, white for the bits that are set. */
static void draw(AVFrame *rgb, const clip *c, int number)
{
    for (int y = 0; y < rgb->height; y++)
        for (int x = 0; x < rgb->width; x++) {
            uint8_t *p = rgb->data[0] + y * rgb->linesize[0] + 3 * x;
            int bit = y * ROWS / rgb->height * COLUMNS + x * COLUMNS / rgb->width;
            if (c->shapes)
                shape_pixel(&c->shapes[number], x, y, rgb->width, p);
            else
                memset(p, number >> bit & 1 ? 235 : 20, 3);
        }
}

int clip_number(const svlm_image *frame)
{
    int w = svlm_image_width(frame), h = svlm_image_height(frame), number = 0;
    for (int bit = 0; bit < BITS; bit++) {
        int x = (2 * (bit % COLUMNS) + 1) * w / (2 * COLUMNS);
        int y = (2 * (bit / COLUMNS) + 1) * h / (2 * ROWS);
        const uint8_t *p = svlm_image_pixels(frame) + 3 * (y * w + x);
        CHECK(abs(p[0] - p[1]) < 40 && abs(p[1] - p[2]) < 40 && abs(p[1] - 128) > 50);
        number |= (p[1] > 128) << bit;
    }
    return number;
}

static AVFrame *new_frame(int format, int width, int height)
{
    AVFrame *f = av_frame_alloc();
    CHECK(f);
    f->format = format;
    f->width = width;
    f->height = height;
    CHECK(!av_frame_get_buffer(f, 0));
    return f;
}

static AVFrame *picture(const AVCodecContext *enc, const clip *c, int number)
{
    AVFrame *rgb = new_frame(AV_PIX_FMT_RGB24, enc->width, enc->height);
    AVFrame *f = new_frame(enc->pix_fmt, enc->width, enc->height);
    draw(rgb, c, number);
    struct SwsContext *sws = sws_getContext(enc->width, enc->height, AV_PIX_FMT_RGB24, enc->width,
                                            enc->height, enc->pix_fmt, SWS_BICUBIC, NULL, NULL,
                                            NULL);
    CHECK(sws);
    sws_scale(sws, (const uint8_t *const *)rgb->data, rgb->linesize, 0, enc->height, f->data,
              f->linesize);
    sws_freeContext(sws);
    av_frame_free(&rgb);
    return f;
}

static int open_encoder(maker *m, int factor)
{
    const clip *c = m->c;
    const AVCodec *codec = avcodec_find_encoder_by_name(c->codec);
    if (!codec)
        return 0;
    CHECK((m->enc = avcodec_alloc_context3(codec)));
    m->enc->width = factor * (c->width ? c->width : 96);
    m->enc->height = factor * (c->height ? c->height : 64);
    m->enc->pix_fmt = av_get_pix_fmt(c->pixels ? c->pixels : "yuv420p");
    m->enc->time_base = c->ms ? (AVRational){ 1, 1000 } : (AVRational){ 1, 25 };
    m->enc->framerate = c->ms ? (AVRational){ 0, 1 } : (AVRational){ 25, 1 };
    m->enc->gop_size = c->gop ? c->gop : 12;
    m->enc->max_b_frames = c->n_b;
    m->enc->bit_rate = 400000;
    if (strstr(c->codec, "mpeg")) {             /* not short of bits at any frame rate */
        m->enc->flags |= AV_CODEC_FLAG_QSCALE;
        m->enc->global_quality = 3 * FF_QP2LAMBDA;
    }
    m->enc->thread_count = 1;
    m->enc->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
    m->enc->color_range = strstr(c->codec, "mjpeg") ? AVCOL_RANGE_JPEG : AVCOL_RANGE_UNSPECIFIED;
    if (m->out->oformat->flags & AVFMT_GLOBALHEADER)
        m->enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(m->enc->priv_data, "preset", "ultrafast", 0);
    av_opt_set(m->enc->priv_data, "x265-params", "log-level=none", 0);
    av_opt_set(m->enc->priv_data, "deadline", "realtime", 0);
    av_opt_set_int(m->enc->priv_data, "cpu-used", 8, 0);
    if (c->n_b)
        av_opt_set(m->enc->priv_data, "x264-params", "bframes=3:b-adapt=0:scenecut=0", 0);
    if (avcodec_open2(m->enc, codec, NULL) < 0) {
        avcodec_free_context(&m->enc);
        return 0;
    }
    return 1;
}

static void set_turn(AVStream *s, int degrees)
{
    int32_t matrix[9];
    av_display_rotation_set(matrix, degrees);
#if LIBAVCODEC_VERSION_MAJOR >= 61
    AVPacketSideData *side = av_packet_side_data_new(
        &s->codecpar->coded_side_data, &s->codecpar->nb_coded_side_data,
        AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix, 0);
    CHECK(side);
    memcpy(side->data, matrix, sizeof matrix);
#else
    uint8_t *p = av_stream_new_side_data(s, AV_PKT_DATA_DISPLAYMATRIX, sizeof matrix);
    CHECK(p);
    memcpy(p, matrix, sizeof matrix);
#endif
}

static void add_sounds(maker *m, int n)
{
    for (int i = 0; i < n; i++) {
        AVStream *s = avformat_new_stream(m->out, NULL);
        CHECK(s);
        AVCodecContext *pcm = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PCM_S16LE));
        CHECK(pcm);
        pcm->sample_rate = 8000;
        pcm->sample_fmt = AV_SAMPLE_FMT_S16;
        pcm->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
        CHECK(!avcodec_open2(pcm, NULL, NULL) &&
              avcodec_parameters_from_context(s->codecpar, pcm) >= 0);
        avcodec_free_context(&pcm);
        s->time_base = (AVRational){ 1, 8000 };
    }
}

static void write_sounds(maker *m)
{
    for (int i = m->stream ? 1 : 0; i < (int)m->out->nb_streams; i++) {
        CHECK(!av_new_packet(m->packet, 1600));
        memset(m->packet->data, 0, 1600);
        m->packet->stream_index = i;
        m->packet->pts = m->packet->dts = 0;
        m->packet->duration = 800;
        av_packet_rescale_ts(m->packet, (AVRational){ 1, 8000 }, m->out->streams[i]->time_base);
        CHECK(!av_interleaved_write_frame(m->out, m->packet));
    }
}

/* Sends a frame, or NULL at the end, and writes what comes out. */
static void encode(maker *m, AVFrame *f)
{
    CHECK(!avcodec_send_frame(m->enc, f));
    while (!avcodec_receive_packet(m->enc, m->packet)) {
        m->packet->stream_index = m->stream->index;
        if (!m->packet->duration)
            m->packet->duration = m->c->ms ? 40 : 1;
        av_packet_rescale_ts(m->packet, m->enc->time_base, m->stream->time_base);
        CHECK(!av_interleaved_write_frame(m->out, m->packet));
    }
}

static void write_frames(maker *m)
{
    const clip *c = m->c;
    for (int i = 0; i < c->n_frames; i++) {
        if (c->grows && i == c->n_frames / 2) {
            encode(m, NULL);
            avcodec_free_context(&m->enc);
            CHECK(open_encoder(m, 2));
        }
        AVFrame *f = picture(m->enc, c, i);
        f->pts = c->ms ? c->ms[i] : i;
        encode(m, f);
        av_frame_free(&f);
    }
    encode(m, NULL);
}

int clip_make(const char *path, const clip *c)
{
    maker m = { .c = c };
    int level = av_log_get_level();
    av_log_set_level(AV_LOG_QUIET);             /* this program's, while it encodes */
    CHECK(avformat_alloc_output_context2(&m.out, NULL, c->container, path) >= 0);
    CHECK((m.packet = av_packet_alloc()));
    int ok = !c->codec || open_encoder(&m, 1);
    if (ok) {
        if (c->codec) {
            CHECK((m.stream = avformat_new_stream(m.out, NULL)));
            CHECK(avcodec_parameters_from_context(m.stream->codecpar, m.enc) >= 0);
            m.stream->time_base = m.enc->time_base;
            m.stream->avg_frame_rate = m.enc->framerate;
            if (c->turn)
                set_turn(m.stream, c->turn);
        }
        add_sounds(&m, c->n_sounds);
        CHECK(avio_open(&m.out->pb, path, AVIO_FLAG_WRITE) >= 0);
        if (c->is_live)
            m.out->pb->seekable = 0;
        CHECK(avformat_write_header(m.out, NULL) >= 0);
        write_sounds(&m);
        if (c->codec)
            write_frames(&m);
        CHECK(!av_write_trailer(m.out));
        avio_closep(&m.out->pb);
    }
    avcodec_free_context(&m.enc);
    av_packet_free(&m.packet);
    avformat_free_context(m.out);
    av_log_set_level(level);
    return ok;
}
