/* SPDX-License-Identifier: MIT */
/* A pruner of one's own: after layer 2, only the half of the picture that the last row of
 * the prompt attends to most goes on. my_hook MODEL.gguf MMPROJ.gguf PICTURE QUESTION */
#include <sparsevlm/sparsevlm.h>
#include <stdio.h>

enum { MAX_ROWS = 4096 };                     /* of a chat with default options */
static int32_t last, keep[MAX_ROWS];
static float score[MAX_ROWS];

static svlm_status plan(void *user, const svlm_view *v, svlm_plan *plan)
{
    (void)user;
    last = v->n_rows - 1;
    plan->edit = plan->n_query = v->layer == 2;
    plan->query = &last;
    return SVLM_OK;
}

/* Is the row among the better half? */
static int wanted(const svlm_view *v, int row)
{
    int better = 0, visual = 0;
    for (int i = 0; i < v->n_rows; i++)
        if (v->kind[i] != SVLM_ROW_TEXT && ++visual)
            better += score[i] > score[row];
    return v->kind[row] == SVLM_ROW_TEXT || 2 * better < visual;
}

static svlm_status edit(void *user, const svlm_view *v, svlm_edit *edit)
{
    (void)user;
    for (int row = 0; row < v->n_rows; row++) {
        score[row] = 0;
        for (int head = 0; head < v->n_heads; head++)       /* of one query row each */
            score[row] += v->attention[(size_t)head * (size_t)v->n_rows + (size_t)row];
    }
    for (int row = 0; row < v->n_rows; row++)
        if (wanted(v, row))
            keep[edit->n_keep++] = row;
    edit->keep = keep;
    return SVLM_OK;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    svlm_hook hook = { .size = sizeof hook, .first_layer = 2, .plan = plan, .edit = edit };
    svlm_model_options mo = { .size = sizeof mo, .model_path = argv[1], .mmproj_path = argv[2] };
    svlm_chat_options co = { .size = sizeof co, .hook = &hook, .max_tokens = 64 };
    svlm_chat_stats stats = { .size = sizeof stats };
    svlm_model *model = NULL;
    svlm_image *image = NULL;
    svlm_features *features = NULL;
    svlm_chat *chat = NULL;
    svlm_error err;
    svlm_status st;
    const char *piece;
    size_t n;

    if (!(st = svlm_model_open(&model, &mo, &err)) &&
        !(st = svlm_image_open(&image, argv[3], NULL, &err)) &&
        !(st = svlm_features_encode(&features, model, image, NULL, &err)) &&
        !(st = svlm_chat_new(&chat, model, &co, &err)) &&
        !(st = svlm_chat_add_features(chat, features, &err)) &&
        !(st = svlm_chat_add_text(chat, argv[4], &err)) && !(st = svlm_chat_ask(chat, &err)))
        while (!(st = svlm_chat_next(chat, &piece, &n, &err)))
            fwrite(piece, 1, n, stdout);
    if (st == SVLM_END && !svlm_chat_get_stats(chat, &stats))
        printf("\n%d of %d visual rows enter layer 3\n", stats.visual_in[3], stats.n_visual);
    else
        fprintf(stderr, "%s\n", err.message);
    svlm_chat_free(chat);
    svlm_features_close(features);
    svlm_image_close(image);
    svlm_model_close(model);
    return st != SVLM_END;
}
