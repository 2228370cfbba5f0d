/* SPDX-License-Identifier: MIT */
/* A conversation about a picture, one line of input a turn. What was said stays in the
 * cache, so a turn only costs its own tokens:
 * chat MODEL.gguf MMPROJ.gguf PICTURE < questions */
#include <sparsevlm/sparsevlm.h>
#include <stdio.h>

static void show(void *user, svlm_log_level level, const char *line)
{
    (void)user;
    if (level == SVLM_LOG_WARNING)
        fprintf(stderr, "warning: %s\n", line);
}

/* Model, picture and pruning to a chat that has seen the picture. */
static svlm_status start(svlm_chat **chat, char **argv, svlm_error *err)
{
    svlm_model_options model_options;
    svlm_chat_options chat_options;
    svlm_prune_options prune_options;
    svlm_hook hook;
    svlm_model *model = NULL;
    svlm_image *image = NULL;
    svlm_features *features = NULL;
    svlm_status st;

    SVLM_INIT(&model_options);
    model_options.model_path = argv[1];
    model_options.mmproj_path = argv[2];
    model_options.log = show;
    SVLM_INIT(&prune_options);
    prune_options.method = SVLM_PRUNE_SPARSEVLM_PLUS;
    prune_options.retain = 128;
    SVLM_INIT(&hook);
    SVLM_INIT(&chat_options);
    chat_options.hook = &hook;
    chat_options.temperature = 0.2f;
    chat_options.seed = 1;
    chat_options.max_tokens = 64;
    *chat = NULL;
    if (!(st = svlm_model_open(&model, &model_options, err)) &&
        !(st = svlm_image_open(&image, argv[3], NULL, err)) &&
        !(st = svlm_features_encode(&features, model, image, NULL, err)) &&
        !(st = svlm_prune_hook(&hook, &prune_options, err)) &&
        !(st = svlm_chat_new(chat, model, &chat_options, err)))
        st = svlm_chat_add_features(*chat, features, err);
    if (!*chat && hook.destroy)
        hook.destroy(hook.user);
    svlm_features_close(features);
    svlm_image_close(image);
    svlm_model_close(model);
    return st;
}

static svlm_status turn(svlm_chat *chat, const char *line, svlm_error *err)
{
    const char *piece;
    size_t n;
    svlm_status st;
    if ((st = svlm_chat_add_text(chat, line, err)) || (st = svlm_chat_ask(chat, err)))
        return st;
    while (!(st = svlm_chat_next(chat, &piece, &n, err))) {
        fwrite(piece, 1, n, stdout);
        fflush(stdout);
    }
    putchar('\n');
    return st == SVLM_END ? SVLM_OK : st;
}

int main(int argc, char **argv)
{
    char line[4096];
    svlm_chat *chat;
    svlm_error err;
    svlm_status st;

    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL.gguf MMPROJ.gguf PICTURE < questions\n", argv[0]);
        return 2;
    }
    st = start(&chat, argv, &err);
    while (!st && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        st = turn(chat, line, &err);
    }
    if (st)
        fprintf(stderr, "%s\n", err.message);
    svlm_chat_free(chat);
    return st != SVLM_OK;
}
