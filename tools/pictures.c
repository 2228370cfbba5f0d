/* SPDX-License-Identifier: MIT */
/* From files to what the language model sees of them: pictures, and frames of videos. */
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "cli.h"

enum {
    DEFAULT_FRAMES = 8, MAX_FRAMES = 1024,
    TEXT_ROWS = 256               /* left for words where frames are to fill the context */
};

/* ---- pictures -------------------------------------------------------------- */

/* The next free picture; NULL without memory. */
static cli_picture *new_picture(cli_pictures *p)
{
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 8;
        cli_picture *more = realloc(p->picture, (size_t)cap * sizeof *more);
        if (!more) {
            cli_note("no memory for %d pictures", cap);
            return NULL;
        }
        p->picture = more;
        p->cap = cap;
    }
    cli_picture *new = &p->picture[p->n];
    *new = (cli_picture) { .seconds = -1 };
    return new;
}

int cli_add_image(cli_pictures *p, svlm_model *model, const cli_options *o,
                  const svlm_image *image, int class_attention)
{
    svlm_features_options fo;
    svlm_error err;
    cli_picture *new = new_picture(p);
    if (!new)
        return CLI_FAILED;
    SVLM_INIT(&fo);
    fo.class_attention = class_attention;
    fo.progress = cli_progress;
    fo.user = (void *)(uintptr_t)o;
    double start = sv_seconds();
    if (svlm_features_encode(&new->features, model, image, &fo, &err))
        return cli_fail(&err);
    p->encode_seconds += sv_seconds() - start;
    p->n++;
    cli_progress_clear();
    return CLI_OK;
}

/* Of the picture last added. */
static int set_origin(cli_pictures *p, const char *path, double seconds)
{
    cli_picture *last = &p->picture[p->n - 1];
    last->seconds = seconds;
    if ((last->name = strdup(path)))
        return CLI_OK;
    cli_note("no memory for the name of %s", path);
    return CLI_FAILED;
}

static int add_picture(cli_pictures *p, svlm_model *model, const cli_options *o, const char *path,
                       int class_attention)
{
    svlm_image_options io;
    svlm_image *image;
    svlm_error err;
    SVLM_INIT(&io);
    io.exif_rotate = 1;
    double start = sv_seconds();
    if (svlm_image_open(&image, path, &io, &err))
        return cli_fail(&err);
    p->read_seconds += sv_seconds() - start;
    int rc = cli_add_image(p, model, o, image, class_attention);
    svlm_image_close(image);
    return rc ? rc : set_origin(p, path, -1);
}

/* ---- videos ---------------------------------------------------------------- */

/* Of so many that were going to be taken by default, those the context has room for. */
static int frames_that_fit(int n, const cli_pictures *p, const svlm_model *model,
                           const cli_options *o)
{
    svlm_model_info info;
    SVLM_INIT(&info);
    if (svlm_model_get_info(model, &info) || info.n_image_tokens < 1)
        return n;
    int usual = info.n_ctx < SVLM_DEFAULT_CTX ? info.n_ctx : SVLM_DEFAULT_CTX;
    int room = (o->n_ctx ? o->n_ctx : usual) - TEXT_ROWS;
    for (int i = 0; i < p->n; i++)
        room -= svlm_features_n_rows(p->picture[i].features);
    int fit = room / info.n_image_tokens;
    return fit < 1 ? 1 : fit < n ? fit : n;
}

/* --frames, or as many as --fps makes of the span; otherwise what there is room for. */
static int frames_wanted(const svlm_video *video, const cli_pictures *p, const svlm_model *model,
                         const cli_options *o, const char *path)
{
    svlm_video_info info;
    SVLM_INIT(&info);
    if (o->frames)
        return o->frames;
    if (o->fps > 0 && !svlm_video_get_info(video, &info) && info.seconds > 0) {
        double n = ceil(info.seconds * o->fps);
        return n < 1 ? 1 : n > MAX_FRAMES ? MAX_FRAMES : (int)n;
    }
    int n = frames_that_fit(DEFAULT_FRAMES, p, model, o);
    if (n < DEFAULT_FRAMES && !o->json)
        cli_note("%s: %d frames instead of %d, for which the context has no room (-c, --frames)",
                 path, n, DEFAULT_FRAMES);
    return n;
}

typedef struct frames { svlm_image **image; double *seconds; int n; } frames;

static int encode_frames(const frames *f, cli_pictures *p, svlm_model *model, const cli_options *o,
                         const char *path, int class_attention)
{
    int rc = CLI_OK;
    for (int i = 0; i < f->n; i++) {
        cli_progress_frame(i + 1, f->n);
        if (!rc && !(rc = cli_add_image(p, model, o, f->image[i], class_attention)))
            rc = set_origin(p, path, f->seconds[i]);
        svlm_image_close(f->image[i]);
    }
    cli_progress_frame(0, 0);
    return rc;
}

static int sample(frames *f, svlm_video *video, cli_pictures *p)
{
    svlm_error err;
    f->image = calloc((size_t)f->n, sizeof *f->image);
    f->seconds = calloc((size_t)f->n, sizeof *f->seconds);
    if (!f->image || !f->seconds) {
        cli_note("no memory for %d frames", f->n);
        return CLI_FAILED;
    }
    double start = sv_seconds();
    if (svlm_video_sample(video, f->n, f->image, f->seconds, &err))
        return cli_fail(&err);
    p->read_seconds += sv_seconds() - start;
    return CLI_OK;
}

static int add_video(cli_pictures *p, svlm_model *model, const cli_options *o, const char *path,
                     int class_attention)
{
    svlm_video_options vo;
    svlm_video *video;
    svlm_error err;
    frames f = { 0 };
    SVLM_INIT(&vo);
    vo.start = o->start;
    vo.end = o->end;
    if (svlm_video_open(&video, path, &vo, &err))
        return cli_fail(&err);
    f.n = frames_wanted(video, p, model, o, path);
    int rc = sample(&f, video, p);
    svlm_video_close(video);
    if (!rc)
        rc = encode_frames(&f, p, model, o, path, class_attention);
    free(f.image);
    free(f.seconds);
    return rc;
}

/* ---- either ---------------------------------------------------------------- */

/* The second line's are refused, but by the reader of videos: it says what they must be. */
static int has_video_name(const char *path)
{
    static const char *const ends[] = {
        ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi",
        ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".ogv", ".ogg", ".flv", ".wmv"
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcasecmp(dot, ends[i]))
            return 1;
    return 0;
}

int cli_add_input(cli_pictures *p, svlm_model *model, const cli_options *o, cli_input input,
                  int class_attention)
{
    return input.is_video || has_video_name(input.path)
               ? add_video(p, model, o, input.path, class_attention)
               : add_picture(p, model, o, input.path, class_attention);
}

svlm_status cli_show(svlm_chat *chat, const cli_pictures *p, int from, int frame_times,
                     svlm_error *err)
{
    svlm_status st = SVLM_OK;
    for (int i = from; i < p->n && !st; i++) {
        const cli_picture *picture = &p->picture[i];
        int timed = frame_times && picture->seconds >= 0;
        char when[64];
        snprintf(when, sizeof when, "At %.1f s: ", picture->seconds);
        if ((!timed || !(st = svlm_chat_add_text(chat, when, err))) &&
            !(st = svlm_chat_add_features(chat, picture->features, err)) && timed)
            st = svlm_chat_add_text(chat, "\n", err);
    }
    return st;
}

void cli_pictures_cut(cli_pictures *p, int n)
{
    while (p->n > n) {
        p->n--;
        svlm_features_close(p->picture[p->n].features);
        free(p->picture[p->n].name);
    }
}

void cli_pictures_free(cli_pictures *p)
{
    cli_pictures_cut(p, 0);
    free(p->picture);
    memset(p, 0, sizeof *p);
}
