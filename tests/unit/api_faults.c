/* SPDX-License-Identifier: MIT */
/* Every allocation on the way from files to an answer fails once: each time a status,
 * a sentence, and nothing left behind. */
#include "small.h"
#include "faults.h"

#include "check.h"

typedef struct all {
    svlm_model *model;
    svlm_image *image;
    svlm_features *features;
    svlm_hook hook;
    svlm_chat *chat;
} all;

/* A model, a picture from a file, two turns with pruning, five tokens each. */
static svlm_status live(all *a, const tiny_model *files, const char *picture, int reprune,
                        svlm_error *err)
{
    svlm_model_options mo;
    svlm_chat_options co;
    svlm_status st;
    SVLM_INIT(&mo);
    mo.model_path = files->llm;
    mo.mmproj_path = files->mmproj;
    mo.n_threads = 1;
    SVLM_INIT(&co);
    co.n_ctx = 600;
    co.reprune = reprune;
    co.max_tokens = 5;
    if ((st = svlm_model_open(&a->model, &mo, err)) ||
        (st = svlm_image_open(&a->image, picture, NULL, err)) ||
        (st = svlm_features_encode(&a->features, a->model, a->image, NULL, err)) ||
        (st = svlm_prune_hook(&a->hook, NULL, err)))
        return st;
    co.hook = &a->hook;
    if ((st = svlm_chat_new(&a->chat, a->model, &co, err)))
        return st;
    for (int turn = 0; turn < 2; turn++) {
        const char *piece;
        size_t n;
        if ((st = svlm_chat_add_features(a->chat, a->features, err)) ||
            (st = svlm_chat_add_text(a->chat, "what is it?", err)) ||
            (st = svlm_chat_ask(a->chat, err)))
            return st;
        while ((st = svlm_chat_next(a->chat, &piece, &n, err)) == SVLM_OK)
            ;
        if (st != SVLM_END)
            return st;
    }
    return SVLM_OK;
}

static void die(all *a)
{
    if (!a->chat && a->hook.destroy)
        a->hook.destroy(a->hook.user);
    svlm_chat_free(a->chat);
    svlm_features_close(a->features);
    svlm_image_close(a->image);
    svlm_model_close(a->model);
}

/* A hook's own failures are reported as such. */
static int is_about_memory(svlm_status st, const svlm_error *err)
{
    return err->message[0] && (st == SVLM_ERR_NOMEM || (st == SVLM_ERR_HOOK &&
           strstr(err->message, svlm_strstatus(SVLM_ERR_NOMEM))));
}

/* Something optional, such as state kept for reuse, may do without its memory. */
static void fail_each(const tiny_model *files, const char *picture, int reprune)
{
    const size_t before = sv_alloc_alive();
    int n = 0, n_failed = 0, failed = 1;
    for (; failed; n++) {
        all a;
        svlm_error err = { 0 };
        memset(&a, 0, sizeof a);
        fault_at(n);
        svlm_status st = live(&a, files, picture, reprune, &err);
        failed = fault_end();
        if (st && !is_about_memory(st, &err))
            fail_msg("allocation %d: status %d: %s", n, st, err.message);
        n_failed += st != SVLM_OK;
        die(&a);
        if (sv_alloc_alive() != before)
            fail_msg("allocation %d: %zu bytes left", n, sv_alloc_alive() - before);
    }
    printf("%d of %d allocations were needed\n", n_failed, n - 1);
    CHECK(n_failed > 30);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    tiny_model files;
    sv_model_shape shape = tiny_shape();
    char picture[4096];
    const char *data = getenv("SVLM_TEST_DATA");
    CHECK(data != NULL);
    snprintf(picture, sizeof picture, "%s/images/palette.png", data);
    tiny_model_make(&files, &shape);
    fail_each(&files, picture, 0);
    fail_each(&files, picture, 1);
    tiny_model_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation_fails) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
