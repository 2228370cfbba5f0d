/* SPDX-License-Identifier: MIT */
/* lib/image/video_*.c: the right frames out of clips that show their numbers, and
 * files that are no clips. */
#include "clip.h"
#include "faults.h"
#include "interrupt.h"

#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"

static char folder[512];

static const char *in_folder(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/svlm-video-XXXXXX", tmp ? tmp : "/tmp");
    return !mkdtemp(folder);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static svlm_video *open_ok(const char *path, const svlm_video_options *opt)
{
    svlm_video *v;
    svlm_error err;
    if (svlm_video_open(&v, path, opt, &err))
        fail_msg("%s", err.message);
    return v;
}

static void refuse(const char *path, svlm_status want, const char *words)
{
    svlm_video *v = NULL;
    svlm_error err = { 0 };
    svlm_status st = svlm_video_open(&v, path, NULL, &err);
    svlm_video_close(v);
    if (st != want || !strstr(err.message, words))
        fail_msg("%s: status %d, \"%s\" instead of %d, \"%s\"", path, st, err.message, want, words);
}

/* Samples n frames; want[i] is the number each must carry. */
static void check_sample(svlm_video *v, int n, const int *want, const double *when)
{
    svlm_image *frames[64];
    double seconds[64];
    svlm_error err;
    if (svlm_video_sample(v, n, frames, seconds, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < n; i++) {
        assert_int_equal(clip_number(frames[i]), want[i]);
        if (fabs(seconds[i] - when[i]) > 0.0011)        /* times may be kept in milliseconds */
            fail_msg("frame %d is shown at %g, not %g", want[i], seconds[i], when[i]);
        svlm_image_close(frames[i]);
    }
}

/* trunc(linspace(0, n - 1, 8)), worked out by NumPy for these n. */
static const int eight_of_60[] = { 0, 8, 16, 25, 33, 42, 50, 59 };
static const int eight_of_3[] = { 0, 0, 0, 0, 1, 1, 1, 2 };

static void times_at_25(double *when, const int *numbers, int n)
{
    for (int i = 0; i < n; i++)
        when[i] = numbers[i] / 25.0;
}

static const clip kinds[] = {
    { .container = "mp4", .codec = "mpeg4" },
    { .container = "mp4", .codec = "mpeg4", .n_b = 2 },
    { .container = "avi", .codec = "mpeg4" },
    { .container = "avi", .codec = "mpeg4", .n_b = 2 },
    { .container = "matroska", .codec = "mpeg4", .n_b = 2, .n_sounds = 2 },
    { .container = "avi", .codec = "mjpeg", .pixels = "yuvj422p" },
    { .container = "mov", .codec = "mjpeg", .pixels = "yuvj420p", .width = 99, .height = 63 },
    { .container = "matroska", .codec = "ffv1", .pixels = "yuv420p10le", .width = 97,
      .height = 65 },
    { .container = "mov", .codec = "prores", .pixels = "yuv422p10le", .n_sounds = 1 },
    { .container = "mp4", .codec = "libx264", .n_b = 3 },
    { .container = "matroska", .codec = "libx264", .pixels = "yuv444p", .gop = 250, .n_b = 3 },
    { .container = "mp4", .codec = "libx265", .pixels = "yuv420p10le", .n_b = 3 },
    { .container = "webm", .codec = "libvpx" },
    { .container = "webm", .codec = "libvpx-vp9" },
    { .container = "matroska", .codec = "mpeg2video", .pixels = "yuv422p", .n_b = 2 },
};

static void check_kind(const clip *c)
{
    const char *path = in_folder("kind");
    double when[8], seconds;
    svlm_image *frame;
    svlm_video_info info;
    clip sixty = *c;
    sixty.n_frames = 60;
    if (!clip_make(path, &sixty)) {
        print_message("no encoder %s, left out\n", c->codec);
        return;
    }
    print_message("%s in %s\n", c->codec, c->container);
    svlm_video *v = open_ok(path, NULL);
    SVLM_INIT(&info);
    CHECK(!svlm_video_get_info(v, &info));
    CHECK(info.width == (c->width ? c->width : 96) && info.height == (c->height ? c->height : 64));
    CHECK(fabs(info.fps - 25) < 0.1 && fabs(info.seconds - 2.4) < 0.05);
    CHECK(llabs(info.n_frames - 60) <= 1);
    times_at_25(when, eight_of_60, 8);
    check_sample(v, 8, eight_of_60, when);
    check_sample(v, 1, eight_of_60, when);
    sv_video_exact_bytes = 0;                   /* as if it were too large to read through */
    check_sample(v, 8, eight_of_60, when);
    sv_video_exact_bytes = (size_t)256 << 20;
    for (int i = 0; i < 60; i++) {
        CHECK(!svlm_video_next(v, &frame, &seconds, NULL));
        assert_int_equal(clip_number(frame), i);
        CHECK(fabs(seconds - i / 25.0) < 0.0011);
        svlm_image_close(frame);
    }
    CHECK(svlm_video_next(v, &frame, &seconds, NULL) == SVLM_END && !frame);
    CHECK(svlm_video_next(v, &frame, &seconds, NULL) == SVLM_END && !frame);
    check_sample(v, 8, eight_of_60, when);
    svlm_video_close(v);
}

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_kind(&kinds[i]);
}

/* Any index may be wanted, with any distance between them and from any place before. */
static void test_every_index(void **state)
{
    (void)state;
    const clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 60, .n_b = 2, .gop = 9 };
    CHECK(clip_make(in_folder("every"), &c));
    svlm_video *v = open_ok(in_folder("every"), NULL);
    for (int n = 1; n <= 64; n++) {
        int want[64];
        double when[64];
        for (int i = 0; i < n; i++)             /* whole numbers round like the doubles here */
            want[i] = n > 1 ? i * 59 / (n - 1) : 0;
        times_at_25(when, want, n);
        check_sample(v, n, want, when);
    }
    svlm_video_close(v);
}

/* Far apart in one group of pictures: those that nothing refers to are left out on the
 * way, and never the one that is wanted. */
static void test_far_apart(void **state)
{
    (void)state;
    static const clip long_ones[] = {
        { .container = "mp4", .codec = "mpeg4", .n_b = 2 },
        { .container = "avi", .codec = "mpeg4", .n_b = 2 },
        { .container = "matroska", .codec = "mpeg2video", .pixels = "yuv422p", .n_b = 2 },
        { .container = "mp4", .codec = "libx264", .n_b = 3 },
        { .container = "matroska", .codec = "libx265", .n_b = 3 },
        { .container = "webm", .codec = "libvpx" },
        { .container = "webm", .codec = "libvpx-vp9" },
    };
    for (size_t k = 0; k < sizeof long_ones / sizeof *long_ones; k++) {
        clip c = long_ones[k];
        c.gop = c.n_frames = 150;
        if (!clip_make(in_folder("far"), &c))
            continue;
        svlm_video *v = open_ok(in_folder("far"), NULL);
        for (int n = 5; n > 1; n--) {
            int want[5];
            double when[5];
            for (int i = 0; i < n; i++)
                want[i] = i * 149 / (n - 1);
            times_at_25(when, want, n);
            check_sample(v, n, want, when);
            sv_video_exact_bytes = 0;
            check_sample(v, n, want, when);
            sv_video_exact_bytes = (size_t)256 << 20;
        }
        svlm_video_close(v);
    }
}

/* The last picture before a pause is shown throughout, though nothing refers to it. */
static void test_pause(void **state)
{
    (void)state;
    enum { N_AFTER = 6 };
    svlm_video_options opt;
    SVLM_INIT(&opt);
    opt.start = 10;
    for (int before = 40; before < 44; before++) {          /* every kind of picture comes last */
        int ms[50], last = before - 1;
        clip c = { .container = "mp4", .codec = "mpeg4", .n_b = 2, .gop = 250, .ms = ms,
                   .n_frames = before + N_AFTER };
        for (int i = 0; i < c.n_frames; i++)
            ms[i] = 40 * i + (i < before ? 0 : 20000);
        double when = ms[last] / 1000.0;
        CHECK(clip_make(in_folder("pause"), &c));
        svlm_video *v = open_ok(in_folder("pause"), &opt);
        sv_video_exact_bytes = 0;               /* by the clock: what is shown at about 10 s */
        check_sample(v, 1, &last, &when);
        sv_video_exact_bytes = (size_t)256 << 20;
        svlm_video_close(v);
    }
}

static void test_variable_rate(void **state)
{
    (void)state;
    static const int ms[12] = { 0, 40, 80, 1000, 1033, 2500, 2501, 2502, 9000, 9040, 20000, 20400 };
    static const int all[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    static const int five[5] = { 0, 2, 5, 8, 11 };
    static const char *const containers[] = { "mp4", "matroska" };
    for (int i = 0; i < 2; i++) {
        clip c = { .container = containers[i], .codec = "mpeg4", .n_frames = 12, .ms = ms };
        double when[12], when_five[5];
        CHECK(clip_make(in_folder("vfr"), &c));
        for (int k = 0; k < 12; k++)
            when[k] = ms[k] / 1000.0;
        for (int k = 0; k < 5; k++)
            when_five[k] = when[five[k]];
        svlm_video *v = open_ok(in_folder("vfr"), NULL);
        check_sample(v, 12, all, when);
        check_sample(v, 5, five, when_five);
        svlm_video_close(v);
    }
}

static void test_span(void **state)
{
    (void)state;
    const clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 100, .n_b = 2 };
    static const int four[] = { 25, 33, 41, 49 };       /* 25 frames: 0, 8, 16, 24 of them */
    double when[4], seconds;
    svlm_video_options opt;
    svlm_video_info info;
    svlm_image *frame;
    svlm_error err;
    CHECK(clip_make(in_folder("span"), &c));
    SVLM_INIT(&opt);
    opt.start = 1;
    opt.end = 2;
    svlm_video *v = open_ok(in_folder("span"), &opt);
    times_at_25(when, four, 4);
    check_sample(v, 4, four, when);
    sv_video_exact_bytes = 0;
    check_sample(v, 4, four, when);
    sv_video_exact_bytes = (size_t)256 << 20;
    SVLM_INIT(&info);
    CHECK(!svlm_video_get_info(v, &info) && info.n_frames == 25 && fabs(info.seconds - 1) < 1e-6);
    for (int i = 25; i < 50; i++) {
        CHECK(!svlm_video_next(v, &frame, &seconds, NULL));
        assert_int_equal(clip_number(frame), i);
        svlm_image_close(frame);
    }
    CHECK(svlm_video_next(v, &frame, &seconds, NULL) == SVLM_END);
    svlm_video_close(v);
    opt.start = 500;
    opt.end = 0;
    v = open_ok(in_folder("span"), &opt);
    CHECK(svlm_video_sample(v, 1, &frame, NULL, &err) == SVLM_ERR_ARG && !frame);
    CHECK(svlm_video_next(v, &frame, NULL, &err) == SVLM_END);
    svlm_video_close(v);
    opt.end = 3;
    CHECK(svlm_video_open(&v, in_folder("span"), &opt, &err) == SVLM_ERR_ARG && !v);
    opt.start = NAN;
    CHECK(svlm_video_open(&v, in_folder("span"), &opt, &err) == SVLM_ERR_ARG);
}

static void test_few_frames(void **state)
{
    (void)state;
    static const int zeros[8] = { 0 };
    clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 3 };
    double when[8];
    CHECK(clip_make(in_folder("three"), &c));
    svlm_video *v = open_ok(in_folder("three"), NULL);
    times_at_25(when, eight_of_3, 8);
    check_sample(v, 8, eight_of_3, when);
    svlm_video_close(v);
    c.n_frames = 1;
    CHECK(clip_make(in_folder("one"), &c));
    v = open_ok(in_folder("one"), NULL);
    memset(when, 0, sizeof when);
    check_sample(v, 8, zeros, when);
    svlm_video_close(v);
    c.n_frames = 0;
    CHECK(clip_make(in_folder("none"), &c));
    refuse(in_folder("none"), SVLM_ERR_FORMAT, "");
    c.container = "matroska";
    CHECK(clip_make(in_folder("none"), &c));
    refuse(in_folder("none"), SVLM_ERR_FORMAT, "");
    c.container = "avi";
    CHECK(clip_make(in_folder("none"), &c));
    refuse(in_folder("none"), SVLM_ERR_FORMAT, "no frames");
    c.codec = NULL;
    c.n_sounds = 1;
    CHECK(clip_make(in_folder("sound"), &c));
    refuse(in_folder("sound"), SVLM_ERR_FORMAT, "no video");
}

/* The first frame's white fields, 1 + 2 + 4 + 8, are its top row. */
static void test_rotation(void **state)
{
    (void)state;
    static const int turns[] = { 0, 90, 180, 270 };
    for (int i = 0; i < 4; i++) {
        clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 16, .turn = turns[i] };
        svlm_image *frames[2];
        svlm_video_info info;
        CHECK(clip_make(in_folder("turn"), &c));
        svlm_video *v = open_ok(in_folder("turn"), NULL);
        SVLM_INIT(&info);
        CHECK(!svlm_video_get_info(v, &info));
        CHECK(!svlm_video_sample(v, 2, frames, NULL, NULL));
        int w = svlm_image_width(frames[1]), h = svlm_image_height(frames[1]);
        CHECK(w == info.width && h == info.height && w == (turns[i] % 180 ? 64 : 96));
        const uint8_t *p = svlm_image_pixels(frames[1]);
        int top = p[3 * (3 * w + w / 2)], bottom = p[3 * ((h - 4) * w + w / 2)];
        int left = p[3 * (h / 2 * w + 3)], right = p[3 * (h / 2 * w + w - 4)];
        static const int white_at[] = { 0, 1, 2, 3 };    /* top, right, bottom, left */
        int sides[4] = { top, right, bottom, left };
        for (int k = 0; k < 4; k++)
            CHECK((sides[k] > 128) == (k == white_at[i]));
        svlm_image_close(frames[0]);
        svlm_image_close(frames[1]);
        svlm_video_close(v);
    }
}

/* Without an index or a length; frames that change their size. */
static void test_odd_files(void **state)
{
    (void)state;
    double when[8];
    clip live = { .container = "matroska", .codec = "mpeg4", .n_frames = 60, .is_live = 1 };
    CHECK(clip_make(in_folder("live"), &live));
    svlm_video *v = open_ok(in_folder("live"), NULL);
    times_at_25(when, eight_of_60, 8);
    check_sample(v, 8, eight_of_60, when);
    svlm_video_close(v);

    clip grows = { .container = "matroska", .codec = "mjpeg", .pixels = "yuvj420p",
                   .n_frames = 10, .grows = 1 };
    svlm_image *frames[10];
    CHECK(clip_make(in_folder("grows"), &grows));
    v = open_ok(in_folder("grows"), NULL);
    CHECK(!svlm_video_sample(v, 10, frames, NULL, NULL));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(clip_number(frames[i]), i);
        CHECK(svlm_image_width(frames[i]) == (i < 5 ? 96 : 192));
        svlm_image_close(frames[i]);
    }
    svlm_video_close(v);
}

static void test_limits(void **state)
{
    (void)state;
    const clip c = { .container = "matroska", .codec = "ffv1", .n_frames = 10 };
    clip many = { .container = "mov", .codec = "mpeg4", .n_frames = 2, .n_sounds = 100 };
    svlm_video_options opt;
    svlm_video *v;
    svlm_error err;
    CHECK(clip_make(in_folder("limits"), &c));
    SVLM_INIT(&opt);
    opt.max_pixels = 96 * 64 - 1;
    CHECK(svlm_video_open(&v, in_folder("limits"), &opt, &err) == SVLM_ERR_LIMIT && !v);
    CHECK(strstr(err.message, "96 x 64"));
    opt.max_pixels = 0;
    opt.deadline = 1e-9;
    CHECK(svlm_video_open(&v, in_folder("limits"), &opt, &err) == SVLM_ERR_LIMIT && !v);
    CHECK(strstr(err.message, "longer than"));
    opt.deadline = -1;
    CHECK(svlm_video_open(&v, in_folder("limits"), &opt, &err) == SVLM_ERR_ARG);
    CHECK(clip_make(in_folder("many"), &many));
    CHECK(svlm_video_open(&v, in_folder("many"), NULL, &err) < 0);
}

/* ---- what is no video ----------------------------------------------------- */

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && !fclose(f));
}

static size_t read_file(const char *name, uint8_t *to, size_t cap)
{
    FILE *f = fopen(in_folder(name), "rb");
    CHECK(f);
    size_t n = fread(to, 1, cap, f);
    CHECK(n < cap);
    fclose(f);
    return n;
}

static void test_impostors(void **state)
{
    (void)state;
    static const struct { const char *bytes, *what; } files[] = {
        { "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1/x.ts\n", "text" },
        { "ffconcat version 1.0\nfile 'live'\n", "text" },
        { "<?xml version='1.0'?><MPD/>", "an XML document" },
        { "v=0\no=- 0 0 IN IP4 127.0.0.1\n", "text" },
        { "\xff\xd8\xff\xe0 a picture", "a JPEG picture" },
        { "\0\0\1\xba\x44", "an MPEG program stream" },
        { "\0\0\1\xb3\x44", "not a format" },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_file("fake.mp4", files[i].bytes, strlen(files[i].bytes + 4) + 4);
        refuse(in_folder("fake.mp4"), SVLM_ERR_UNSUPPORTED, files[i].what);
    }
    write_file("fake.mp4", "", 0);
    refuse(in_folder("fake.mp4"), SVLM_ERR_FORMAT, "empty");
    write_file("fake.mp4", "\0\0\0\x10" "ftypisom\0\0\0\0", 16);
    refuse(in_folder("fake.mp4"), SVLM_ERR_FORMAT, "");
    refuse("http://127.0.0.1:9/x.mp4", SVLM_ERR_IO, "cannot open");
    refuse("concat:live|live", SVLM_ERR_IO, "cannot open");
    refuse("file:live", SVLM_ERR_IO, "cannot open");
    refuse("-", SVLM_ERR_IO, "cannot open");
    refuse(folder, SVLM_ERR_IO, "a directory");
    CHECK(!mkfifo(in_folder("fifo"), 0600));
    refuse(in_folder("fifo"), SVLM_ERR_IO, "pipe");
    refuse(NULL, SVLM_ERR_ARG, "");
}

/* Containers whose frames only a parser could tell apart (../docs/BAD_INPUTS.md). */
static void test_other_containers(void **state)
{
    (void)state;
    static const struct { clip c; const char *what; } others[] = {
        { { .container = "mpegts", .codec = "mpeg2video" }, "is an MPEG transport stream; videos" },
        { { .container = "mpegts", .codec = "libx264" }, "is an MPEG transport stream; videos" },
        { { .container = "vob", .codec = "mpeg2video" }, "is an MPEG program stream; videos" },
        { { .container = "flv", .codec = "flv" }, "is a Flash video; videos must be MP4" },
        { { .container = "ogg", .codec = "libtheora" }, "is an Ogg file; videos must be MP4" },
        { { .container = "ogg", .codec = "libvpx" }, "is an Ogg file; videos must be MP4" },
        { { .container = "asf", .codec = "mpeg4" }, "is a Windows Media file; videos must be" },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        clip c = others[i].c;
        c.n_frames = 10;
        if (clip_make(in_folder("other"), &c))
            refuse(in_folder("other"), SVLM_ERR_UNSUPPORTED, others[i].what);
    }
}

/* Names are names, whatever they begin with. */
static void test_dash_name(void **state)
{
    (void)state;
    const clip c = { .container = "avi", .codec = "mpeg4", .n_frames = 3 };
    char before[1024];
    CHECK(getcwd(before, sizeof before) && clip_make(in_folder("-i"), &c) && !chdir(folder));
    svlm_video_close(open_ok("-i", NULL));
    CHECK(!chdir(before));
}

/* Takes what it gets; whatever comes out has to be a frame of the clip. */
static void read_damaged(const char *name)
{
    svlm_video *v;
    svlm_image *frames[5], *frame;
    svlm_error err;
    size_t alive = sv_alloc_alive();
    if (!svlm_video_open(&v, in_folder(name), NULL, &err)) {
        if (!svlm_video_sample(v, 5, frames, NULL, &err))
            for (int i = 0; i < 5; i++)
                svlm_image_close(frames[i]);
        for (int i = 0; i < 70 && !svlm_video_next(v, &frame, NULL, &err); i++)
            svlm_image_close(frame);
        svlm_video_close(v);
    } else {
        CHECK(err.message[0] && !v);
    }
    CHECK(sv_alloc_alive() == alive);
}

/* Cut anywhere, changed anywhere: no crash, and not a word on standard error. */
static void test_damaged(void **state)
{
    (void)state;
    static const clip damaged[] = {
        { .container = "mp4", .codec = "mpeg4", .n_frames = 20, .n_b = 2 },
        { .container = "avi", .codec = "mjpeg", .pixels = "yuvj420p", .n_frames = 20 },
        { .container = "matroska", .codec = "libx264", .n_frames = 20, .n_b = 3 },
        { .container = "webm", .codec = "libvpx-vp9", .n_frames = 20 },
    };
    static uint8_t bytes[1 << 18];
    sv_rng rng = { check_seed() };
    fflush(stderr);
    int log = open(in_folder("log"), O_RDWR | O_CREAT | O_TRUNC, 0600), saved = dup(2);
    CHECK(log >= 0 && saved >= 0 && dup2(log, 2) == 2);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        if (!clip_make(in_folder("whole"), &damaged[i]))
            continue;
        size_t n = read_file("whole", bytes, sizeof bytes);
        for (size_t k = 0; k < 16; k++) {
            write_file("cut", bytes, n * k / 16 + 1);
            read_damaged("cut");
        }
        for (int round = 0; round < 40; round++) {
            size_t at = sv_rng_below(&rng, round % 2 ? (uint32_t)n : 400);
            uint8_t was = bytes[at];
            bytes[at] = (uint8_t)sv_rng_next(&rng);
            write_file("changed", bytes, n);
            read_damaged("changed");
            bytes[at] = was;
        }
    }
    dup2(saved, 2);
    close(saved);
    char said[200] = "";
    CHECK(pread(log, said, sizeof said - 1, 0) >= 0);
    assert_string_equal(said, "");
    close(log);
}

/* ---- memory --------------------------------------------------------------- */

/* Run as a program of its own: samples 8 frames of a clip and writes the largest
 * resident size it had, in kB. */
static int sample_alone(const char *path)
{
    svlm_image *frames[8] = { NULL };
    svlm_video *v = NULL;
    struct rusage use;
    int failed = svlm_video_open(&v, path, NULL, NULL) ||
                 svlm_video_sample(v, 8, frames, NULL, NULL) || getrusage(RUSAGE_SELF, &use);
    if (!failed)
        printf("%ld\n", use.ru_maxrss);
    for (int i = 0; i < 8; i++)
        svlm_image_close(frames[i]);
    svlm_video_close(v);
    return failed;
}

static long peak_of(const char *name)
{
    char command[2200];
    long peak = 0;
    snprintf(command, sizeof command, "/proc/%d/exe '%s'", (int)getpid(), in_folder(name));
    FILE *f = popen(command, "r");
    CHECK(f && fscanf(f, "%ld", &peak) == 1 && !pclose(f));
    return peak;
}

/* Twenty times the frames need no more than some index entries more; all of them at once
 * would be 450 MB. */
static void test_memory(void **state)
{
    (void)state;
    clip c = { .container = "mp4", .codec = "mpeg4", .width = 320, .height = 240 };
    c.n_frames = 100;
    CHECK(clip_make(in_folder("short"), &c));
    c.n_frames = 2000;
    CHECK(clip_make(in_folder("long"), &c));
    long less = peak_of("short"), more = peak_of("long");
    print_message("peak %ld kB for 100 frames, %ld kB for 2000\n", less, more);
    CHECK(more - less < 4 << 10);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    const clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 4, .turn = 90 };
    CHECK(clip_make(in_folder("alloc"), &c));
    size_t alive = sv_alloc_alive();
    svlm_status st = SVLM_ERR_NOMEM;
    int n;
    for (n = 0; st; n++) {
        svlm_video *v = NULL;
        svlm_image *frames[3] = { NULL }, *one = NULL;
        fault_at(n);
        st = svlm_video_open(&v, in_folder("alloc"), NULL, NULL);
        if (!st)
            st = svlm_video_sample(v, 3, frames, NULL, NULL);
        if (!st)
            st = svlm_video_next(v, &one, NULL, NULL);
        fault_end();
        for (int i = 0; i < 3; i++)
            svlm_image_close(frames[i]);
        svlm_image_close(one);
        svlm_video_close(v);
        CHECK(!st || st == SVLM_ERR_NOMEM);
        CHECK(sv_alloc_alive() == alive);
    }
    CHECK(n > 10);
}

/* Frames 0 and 3 of the clip, or how it went wrong. */
static int read_interrupted(const char *path)
{
    svlm_video *v;
    svlm_image *frames[2];
    svlm_error err;
    svlm_status st = svlm_video_open(&v, path, NULL, &err);
    if (!st)
        st = svlm_video_sample(v, 2, frames, NULL, &err);
    if (st)
        return st == SVLM_ERR_IO ? 1 : 2;
    return clip_number(frames[0]) == 0 && clip_number(frames[1]) == 3 ? 0 : 3;
}

/* Reads that are interrupted and come short; the k-th failing, for every k. */
static void test_interrupted_reads(void **state)
{
    (void)state;
    static const char *const containers[] = { "mp4", "avi", "matroska" };
    if (!interrupt_works())
        skip();
    for (int i = 0; i < 3; i++) {
        const clip c = { .container = containers[i], .codec = "mpeg4", .n_frames = 4 };
        CHECK(clip_make(in_folder("reads"), &c));
        assert_int_equal(interrupt_run(in_folder("reads"), -1, read_interrupted), 0);
        int k = 0;
        for (int result = 1; result; k++) {
            result = interrupt_run(in_folder("reads"), k, read_interrupted);
            CHECK(result == 1 || result == 0);
        }
        CHECK(k > 3);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    svlm_image *frame;
    svlm_video_info info;
    SVLM_INIT(&info);
    CHECK(svlm_video_open(NULL, "x", NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_sample(NULL, 1, &frame, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_next(NULL, &frame, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_get_info(NULL, &info) == SVLM_ERR_ARG);
    svlm_video_close(NULL);
    const clip c = { .container = "avi", .codec = "mpeg4", .n_frames = 3 };
    CHECK(clip_make(in_folder("args"), &c));
    svlm_video *v = open_ok(in_folder("args"), NULL);
    CHECK(svlm_video_sample(v, 0, &frame, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_sample(v, -5, &frame, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_sample(v, 1, NULL, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_next(v, NULL, NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_video_get_info(v, NULL) == SVLM_ERR_ARG);
    svlm_video_close(v);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return sample_alone(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_every_index),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_variable_rate),
        cmocka_unit_test(test_span),
        cmocka_unit_test(test_few_frames),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_odd_files),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_other_containers),
        cmocka_unit_test(test_dash_name),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_interrupted_reads),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
