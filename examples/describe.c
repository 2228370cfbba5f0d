/* SPDX-License-Identifier: MIT */
/* The shortest way from a picture to an answer:
 * describe MODEL.gguf MMPROJ.gguf PICTURE "What is this?" */
#include <sparsevlm/sparsevlm.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    svlm_model *model = NULL;
    svlm_image *image = NULL;
    svlm_features *features = NULL;
    svlm_chat *chat = NULL;
    svlm_model_options model_options;
    svlm_chat_options chat_options;
    svlm_hook hook;
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;

    if (argc != 5) {
        fprintf(stderr, "usage: %s MODEL.gguf MMPROJ.gguf PICTURE QUESTION\n", argv[0]);
        return 2;
    }
    SVLM_INIT(&model_options);
    model_options.model_path = argv[1];
    model_options.mmproj_path = argv[2];
    SVLM_INIT(&hook);
    SVLM_INIT(&chat_options);
    chat_options.hook = &hook;
    chat_options.max_tokens = 64;

    if (!(st = svlm_model_open(&model, &model_options, &err)) &&
        !(st = svlm_image_open(&image, argv[3], NULL, &err)) &&
        !(st = svlm_features_encode(&features, model, image, NULL, &err)) &&
        !(st = svlm_prune_hook(&hook, NULL, &err)) &&           /* SparseVLM, 192 of 576 */
        !(st = svlm_chat_new(&chat, model, &chat_options, &err)) &&
        !(st = svlm_chat_add_features(chat, features, &err)) &&
        !(st = svlm_chat_add_text(chat, argv[4], &err)) &&
        !(st = svlm_chat_ask(chat, &err)))
        while (!(st = svlm_chat_next(chat, &piece, &n, &err)))
            fwrite(piece, 1, n, stdout);
    putchar('\n');
    if (st != SVLM_END)
        fprintf(stderr, "%s\n", err.message);

    if (!chat && hook.destroy)    /* otherwise the chat owns it */
        hook.destroy(hook.user);
    svlm_chat_free(chat);         /* in any order; NULL is fine */
    svlm_features_close(features);
    svlm_image_close(image);
    svlm_model_close(model);
    return st != SVLM_END;
}
