/* SPDX-License-Identifier: MIT */
/* make_clip OUT.mp4: twelve numbered frames, for scripts that need a video.
 * make_clip OUT.mp4 BACKGROUND SHAPE:COLOR...: each shape for one second. */
#include "clip.h"

enum { MAX_SHAPES = 16, MS = 1000 };

static int make_shapes(const char *path, const char *background, char **words, int n)
{
    shape shapes[MAX_SHAPES];
    int ms[MAX_SHAPES];
    clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = n, .width = 336, .height = 336,
               .shapes = shapes, .ms = ms };
    for (int i = 0; i < n; i++) {
        char *color = strchr(words[i], ':');
        if (!color)
            return 0;
        *color++ = 0;
        shapes[i] = (shape){ words[i], color, background, .side = 160, .cell = 4 };
        ms[i] = i * MS;
    }
    return clip_make(path, &c);
}

int main(int argc, char **argv)
{
    const clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 12 };
    if (argc > 3 && argc <= 3 + MAX_SHAPES)
        return !make_shapes(argv[1], argv[2], argv + 3, argc - 3);
    return argc == 2 && clip_make(argv[1], &c) ? 0 : 1;
}
