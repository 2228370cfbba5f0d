/* SPDX-License-Identifier: MIT */
/* One picture, many questions. It is encoded once, and what the first layers make of it
 * does not depend on the question either, so from the second question on the language
 * model starts at its first pruning layer:
 * many_questions MODEL.gguf MMPROJ.gguf PICTURE QUESTION... */
#include <sparsevlm/sparsevlm.h>
#include <stdio.h>

static int complain(const char *what, const svlm_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

static svlm_status encode(svlm_features **features, svlm_model *model, const char *path,
                          svlm_error *err)
{
    svlm_image *image;
    svlm_status st = svlm_image_open(&image, path, NULL, err);
    if (st)
        return st;
    st = svlm_features_encode(features, model, image, NULL, err);
    svlm_image_close(image);
    return st;
}

/* A question of its own: nothing of the one before is remembered. */
static svlm_status answer(svlm_chat *chat, svlm_features *features, const char *question,
                          svlm_error *err)
{
    svlm_chat_stats stats;
    svlm_status st;
    const char *piece;
    size_t n;
    if ((st = svlm_chat_reset(chat, err)) ||
        (st = svlm_chat_add_features(chat, features, err)) ||
        (st = svlm_chat_add_text(chat, question, err)) ||
        (st = svlm_chat_ask(chat, err)))
        return st;
    printf("%s\n    ", question);
    while (!(st = svlm_chat_next(chat, &piece, &n, err)))
        fwrite(piece, 1, n, stdout);
    SVLM_INIT(&stats);
    svlm_chat_get_stats(chat, &stats);
    printf("\n    (%d rows, %d of them known to the first layers already, %.3f s)\n", stats.n_prompt,
           stats.n_reused, stats.prefill_seconds);
    return st == SVLM_END ? SVLM_OK : st;
}

int main(int argc, char **argv)
{
    svlm_model *model;
    svlm_features *features;
    svlm_chat *chat;
    svlm_model_options model_options;
    svlm_chat_options chat_options;
    svlm_hook hook;
    svlm_error err;
    svlm_status st = SVLM_OK;

    if (argc < 5) {
        fprintf(stderr, "usage: %s MODEL.gguf MMPROJ.gguf PICTURE QUESTION...\n", argv[0]);
        return 2;
    }
    SVLM_INIT(&model_options);
    model_options.model_path = argv[1];
    model_options.mmproj_path = argv[2];
    if (svlm_model_open(&model, &model_options, &err))
        return complain("cannot load the model", &err);

    SVLM_INIT(&hook);
    SVLM_INIT(&chat_options);
    chat_options.hook = &hook;
    chat_options.max_tokens = 64;
    if (svlm_prune_hook(&hook, NULL, &err) || svlm_chat_new(&chat, model, &chat_options, &err))
        return complain("cannot start a conversation", &err);
    if (encode(&features, model, argv[3], &err))
        return complain("cannot encode the picture", &err);
    svlm_model_close(model);      /* the chat and the features hold on to what they need */

    for (int i = 4; i < argc && !st; i++)
        st = answer(chat, features, argv[i], &err);
    svlm_features_close(features);
    svlm_chat_free(chat);
    return st ? complain("cannot answer", &err) : 0;
}
