/* SPDX-License-Identifier: MIT */
/* A tiny model, a picture, and questions, for tests of the public interface. */
#include "small.h"

#include "base/rng.h"
#include "check.h"

static svlm_error err;

static void must(svlm_status st)
{
    if (st)
        fail_msg("%s", err.message);
}

svlm_model *small_open(const small *s)
{
    svlm_model_options opt;
    svlm_model *model;
    SVLM_INIT(&opt);
    opt.model_path = s->files.llm;
    opt.mmproj_path = s->files.mmproj;
    opt.precise = 1;              /* answers are compared token for token */
    opt.n_threads = 1;
    must(svlm_model_open(&model, &opt, &err));
    return model;
}

svlm_image *small_image(void)
{
    enum { W = 70, H = 50 };
    static uint8_t rgb[W * H * 3];
    sv_rng rng = { check_seed() };
    svlm_image *image;
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)sv_rng_below(&rng, 256);
    must(svlm_image_from_rgb(&image, rgb, W, H, 3 * W, &err));
    return image;
}

svlm_features *small_features(svlm_model *model, const svlm_image *image)
{
    svlm_features *features;
    must(svlm_features_encode(&features, model, image, NULL, &err));
    return features;
}

int small_setup(void **state)
{
    static small s;
    sv_model_shape shape = tiny_shape();
    tiny_model_make(&s.files, &shape);
    s.model = small_open(&s);
    s.image = small_image();
    s.features = small_features(s.model, s.image);
    *state = &s;
    return 0;
}

int small_teardown(void **state)
{
    small *s = *state;
    svlm_model_close(s->model);
    svlm_image_close(s->image);
    svlm_features_close(s->features);
    tiny_model_remove(&s->files);
    return 0;
}

svlm_chat *small_chat(svlm_model *model, const svlm_chat_options *opt)
{
    svlm_chat *chat;
    must(svlm_chat_new(&chat, model, opt, &err));
    return chat;
}

void small_add(svlm_chat *chat, svlm_features *features, const char *text)
{
    if (features)
        must(svlm_chat_add_features(chat, features, &err));
    must(svlm_chat_add_text(chat, text, &err));
}

int small_read(svlm_chat *chat, int32_t *ids, int n)
{
    for (int i = 0; i < n; i++) {
        const char *piece;
        size_t n_bytes;
        svlm_status st = svlm_chat_next(chat, &piece, &n_bytes, &err);
        if (st == SVLM_END)
            return i;
        must(st);
        CHECK(n_bytes > 0);
        ids[i] = svlm_chat_last_token(chat);
    }
    return n;
}

int small_ask(svlm_chat *chat, svlm_features *features, const char *text, int32_t *ids, int n)
{
    small_add(chat, features, text);
    must(svlm_chat_ask(chat, &err));
    return small_read(chat, ids, n);
}
