/* SPDX-License-Identifier: MIT */
/* From options to objects: model, hook, pictures. */
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "cli.h"

enum { DEFAULT_FRAMES = 8, MAX_FRAMES = 1024 };

/* ---- model ----------------------------------------------------------------- */

/* Looks once, however often a command opens them. */
static int find_files(cli_files *files, const cli_options *o)
{
    int rc = files->model ? CLI_OK : cli_find_files(files, o);
    if (files->is_demo && !o->json)
        cli_note("this is the small demo model: it knows only coloured shapes, letters and digits "
                 "(-m gives another)");
    files->is_demo = 0;           /* said */
    return rc;
}

int cli_open_model(svlm_model **model, const cli_options *o)
{
    static cli_files files;       /* named by the signal handler until the end */
    svlm_model_options mo;
    svlm_error err;
    int rc = find_files(&files, o);
    *model = NULL;
    if (rc)
        return rc;
    SVLM_INIT(&mo);
    mo.model_path = files.model;
    mo.mmproj_path = files.mmproj;
    mo.load = o->repack ? SVLM_LOAD_REPACK : SVLM_LOAD_MAP;
    mo.precise = o->precise;
    mo.n_threads = o->n_threads;
    mo.log = cli_log;
    mo.progress = cli_progress;
    mo.user = (void *)(uintptr_t)o;
    svlm_status st = svlm_model_open(model, &mo, &err);
    cli_progress_clear();
    if (st)
        return cli_fail(&err);
    cli_watch_file(files.model);
    if (files.mmproj)
        cli_watch_file(files.mmproj);
    return CLI_OK;
}

/* ---- pruning --------------------------------------------------------------- */

const char *cli_prune_name(const cli_options *o)
{
    return o->prune ? o->prune : svlm_prune_name(SVLM_PRUNE_SPARSEVLM);
}

static int read_positions(svlm_prune_options *po, const cli_options *o)
{
    if (!o->positions)
        return CLI_OK;
    po->positions = !strcmp(o->positions, "compact") ? SVLM_POSITIONS_COMPACT :
                    !strcmp(o->positions, "keep") ? SVLM_POSITIONS_KEEP : SVLM_POSITIONS_AUTO;
    if (po->positions == SVLM_POSITIONS_AUTO)
        return cli_usage(o->command, "--positions \"%s\" is neither compact nor keep",
                         o->positions);
    return CLI_OK;
}

int cli_make_hook(svlm_hook *hook, const cli_options *o)
{
    svlm_prune_options po;
    svlm_error err;
    memset(hook, 0, sizeof *hook);
    SVLM_INIT(&po);
    if (!strcmp(cli_prune_name(o), "none"))
        return CLI_OK;
    int method = svlm_prune_method_by_name(cli_prune_name(o));
    if (method < 0)
        return cli_usage(o->command, "there is no pruning method \"%s\"", o->prune);
    po.method = (svlm_prune_method)method;
    po.retain = o->retain;
    po.n_layers_list = o->prune_layers.n;
    po.layers = o->prune_layers.value;
    po.keep = o->keep.value;
    po.seed = o->seed;
    int rc = read_positions(&po, o);
    if (rc)
        return rc;
    SVLM_INIT(hook);
    return svlm_prune_hook(hook, &po, &err) ? cli_fail(&err) : CLI_OK;
}

void cli_chat_options(svlm_chat_options *co, const cli_options *o, const svlm_hook *hook)
{
    SVLM_INIT(co);
    co->n_ctx = o->n_ctx;
    co->hook = hook && hook->size ? hook : NULL;
    co->template_name = o->template_name;
    co->system = o->system;
    co->kv_f32 = o->kv_f32;
    co->reprune = o->reprune;
    co->temperature = (float)o->temperature;
    co->top_k = o->top_k;
    co->top_p = (float)o->top_p;
    co->min_p = (float)o->min_p;
    co->repeat_penalty = (float)o->repeat_penalty;
    co->seed = o->seed;
    co->max_tokens = o->n_predict > 0 ? o->n_predict : 0;
    co->progress = cli_progress;
    co->user = (void *)(uintptr_t)o;
}

/* ---- pictures -------------------------------------------------------------- */

static int has_video_name(const char *path)
{
    static const char *const ends[] = { ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg",
                                        ".mpeg", ".ts", ".ogv", ".3gp" };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcasecmp(dot, ends[i]))
            return 1;
    return 0;
}

int cli_add_image(cli_pictures *p, svlm_model *model, const cli_options *o,
                  const svlm_image *image, int class_attention)
{
    svlm_features_options fo;
    svlm_error err;
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 8;
        svlm_features **more = realloc(p->features, (size_t)cap * sizeof(svlm_features *));
        if (!more) {
            cli_note("no memory for %d pictures", cap);
            return CLI_FAILED;
        }
        p->features = more;
        p->cap = cap;
    }
    SVLM_INIT(&fo);
    fo.class_attention = class_attention;
    fo.progress = cli_progress;
    fo.user = (void *)(uintptr_t)o;
    double start = sv_seconds();
    if (svlm_features_encode(&p->features[p->n], model, image, &fo, &err))
        return cli_fail(&err);
    p->encode_seconds += sv_seconds() - start;
    p->n++;
    cli_progress_clear();
    return CLI_OK;
}

/* --frames, or as many as --fps makes of the span. */
static int frames_wanted(const svlm_video *video, const cli_options *o)
{
    svlm_video_info info;
    SVLM_INIT(&info);
    if (o->frames || o->fps <= 0 || svlm_video_get_info(video, &info) || info.seconds <= 0)
        return o->frames ? o->frames : DEFAULT_FRAMES;
    double n = ceil(info.seconds * o->fps);
    return n < 1 ? 1 : n > MAX_FRAMES ? MAX_FRAMES : (int)n;
}

static int sample(svlm_image **frames, int n, svlm_video *video, cli_pictures *p, svlm_model *model,
                  const cli_options *o, int class_attention)
{
    svlm_error err;
    double start = sv_seconds();
    if (svlm_video_sample(video, n, frames, NULL, &err))
        return cli_fail(&err);
    p->read_seconds += sv_seconds() - start;
    int rc = CLI_OK;
    for (int i = 0; i < n; i++) {
        if (!rc)
            rc = cli_add_image(p, model, o, frames[i], class_attention);
        svlm_image_close(frames[i]);
    }
    return rc;
}

static int add_video(cli_pictures *p, svlm_model *model, const cli_options *o, const char *path,
                     int class_attention)
{
    svlm_video_options vo;
    svlm_video *video;
    svlm_error err;
    SVLM_INIT(&vo);
    vo.start = o->start;
    vo.end = o->end;
    if (svlm_video_open(&video, path, &vo, &err))
        return cli_fail(&err);
    int n = frames_wanted(video, o), rc = CLI_FAILED;
    svlm_image **frames = calloc((size_t)n, sizeof(svlm_image *));
    if (frames)
        rc = sample(frames, n, video, p, model, o, class_attention);
    else
        cli_note("no memory for %d frames", n);
    free(frames);
    svlm_video_close(video);
    return rc;
}

int cli_add_input(cli_pictures *p, svlm_model *model, const cli_options *o, cli_input input,
                  int class_attention)
{
    svlm_image_options io;
    svlm_image *image;
    svlm_error err;
    if (input.is_video || has_video_name(input.path))
        return add_video(p, model, o, input.path, class_attention);
    SVLM_INIT(&io);
    io.exif_rotate = 1;
    double start = sv_seconds();
    if (svlm_image_open(&image, input.path, &io, &err))
        return cli_fail(&err);
    p->read_seconds += sv_seconds() - start;
    int rc = cli_add_image(p, model, o, image, class_attention);
    svlm_image_close(image);
    return rc;
}

void cli_pictures_free(cli_pictures *p)
{
    while (p->n)
        svlm_features_close(p->features[--p->n]);
    free(p->features);
    memset(p, 0, sizeof *p);
}
