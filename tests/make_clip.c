/* SPDX-License-Identifier: MIT */
/* make_clip OUT.mp4: twelve numbered frames, for scripts that need a video. */
#include "clip.h"

int main(int argc, char **argv)
{
    const clip c = { .container = "mp4", .codec = "mpeg4", .n_frames = 12 };
    return argc == 2 && clip_make(argv[1], &c) ? 0 : 1;
}
