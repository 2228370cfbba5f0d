/* SPDX-License-Identifier: MIT */
/* A question about a clip: eight frames spread over it, each with its time in front, and
 * one budget of visual rows for all of them.
 * video MODEL.gguf MMPROJ.gguf CLIP "What happens?" */
#include <sparsevlm/sparsevlm.h>
#include <stdio.h>

enum { N_FRAMES = 8 };

typedef struct frames {
    svlm_features *features[N_FRAMES];
    double seconds[N_FRAMES];
} frames;

static svlm_status see(frames *f, svlm_model *model, const char *path, svlm_error *err)
{
    svlm_video *video;
    svlm_image *images[N_FRAMES];
    svlm_status st = svlm_video_open(&video, path, NULL, err);
    if (st)
        return st;
    st = svlm_video_sample(video, N_FRAMES, images, f->seconds, err);
    svlm_video_close(video);
    if (st)
        return st;
    for (int i = 0; i < N_FRAMES; i++) {
        if (!st)
            st = svlm_features_encode(&f->features[i], model, images[i], NULL, err);
        svlm_image_close(images[i]);
    }
    return st;
}

static svlm_status tell(const frames *f, svlm_chat *chat, const char *question, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    char when[32];
    for (int i = 0; i < N_FRAMES && !st; i++) {
        snprintf(when, sizeof when, "At %.1f s: ", f->seconds[i]);
        if (!(st = svlm_chat_add_text(chat, when, err)))
            st = svlm_chat_add_features(chat, f->features[i], err);
    }
    return st ? st : svlm_chat_add_text(chat, question, err);
}

static svlm_status answer(svlm_chat *chat, svlm_error *err)
{
    const char *piece;
    size_t n;
    svlm_status st = svlm_chat_ask(chat, err);
    if (st)
        return st;
    while (!(st = svlm_chat_next(chat, &piece, &n, err)))
        fwrite(piece, 1, n, stdout);
    putchar('\n');
    return st;
}

int main(int argc, char **argv)
{
    svlm_model *model = NULL;
    svlm_chat *chat = NULL;
    svlm_model_options model_options;
    svlm_prune_options prune_options;
    svlm_chat_options chat_options;
    svlm_hook hook;
    svlm_error err;
    svlm_status st;
    frames f = { { 0 }, { 0 } };

    if (argc != 5) {
        fprintf(stderr, "usage: %s MODEL.gguf MMPROJ.gguf CLIP QUESTION\n", argv[0]);
        return 2;
    }
    SVLM_INIT(&model_options);
    model_options.model_path = argv[1];
    model_options.mmproj_path = argv[2];
    SVLM_INIT(&prune_options);
    prune_options.retain = 64;    /* of 576 for each frame; any frame may get more */
    SVLM_INIT(&hook);
    SVLM_INIT(&chat_options);
    chat_options.n_ctx = 8192;    /* eight times 576 rows before pruning */
    chat_options.hook = &hook;
    chat_options.max_tokens = 64;

    if (!(st = svlm_model_open(&model, &model_options, &err)) &&
        !(st = see(&f, model, argv[3], &err)) &&
        !(st = svlm_prune_hook(&hook, &prune_options, &err)) &&
        !(st = svlm_chat_new(&chat, model, &chat_options, &err)) &&
        !(st = tell(&f, chat, argv[4], &err)))
        st = answer(chat, &err);
    if (st != SVLM_END)
        fprintf(stderr, "%s\n", err.message);

    if (!chat && hook.destroy)    /* otherwise the chat owns it */
        hook.destroy(hook.user);
    svlm_chat_free(chat);
    for (int i = 0; i < N_FRAMES; i++)
        svlm_features_close(f.features[i]);
    svlm_model_close(model);
    return st != SVLM_END;
}
