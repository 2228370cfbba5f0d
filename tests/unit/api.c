/* SPDX-License-Identifier: MIT */
/* The public objects: arguments, sizes, files, release in any order. */
#include "small.h"

#include <unistd.h>

#include "base/alloc.h"
#include "check.h"

enum { N = 8 };

static svlm_error err;

static svlm_model_options model_options(const small *s)
{
    svlm_model_options o;
    SVLM_INIT(&o);
    o.model_path = s->files.llm;
    o.mmproj_path = s->files.mmproj;
    return o;
}

static void test_null_is_answered(void **state)
{
    small *s = *state;
    svlm_model *model = NULL;
    svlm_features *features = NULL;
    svlm_chat *chat = NULL;
    float row = 0;
    uint64_t n_bytes;
    size_t n;
    const char *piece;
    svlm_model_options o = model_options(s);
    CHECK(svlm_model_open(NULL, &o, &err) == SVLM_ERR_ARG);
    CHECK(svlm_model_open(&model, NULL, &err) == SVLM_ERR_ARG && !model);
    CHECK(svlm_model_get_info(NULL, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_model_get_info(s->model, NULL) == SVLM_ERR_ARG);
    CHECK(!svlm_model_ref(NULL));
    CHECK(svlm_tokenize(NULL, "a", 1, NULL, 0, &n, &err) == SVLM_ERR_ARG);
    CHECK(svlm_tokenize(s->model, NULL, 1, NULL, 0, &n, &err) == SVLM_ERR_ARG);
    CHECK(svlm_tokenize(s->model, "a", 1, NULL, 5, &n, &err) == SVLM_ERR_ARG);
    CHECK(svlm_tokenize(s->model, "a", 1, NULL, 0, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_encode(NULL, s->model, s->image, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_encode(&features, NULL, s->image, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_encode(&features, s->model, NULL, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_from_rows(&features, s->model, NULL, 1, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_from_rows(&features, NULL, &row, 1, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_from_rows(&features, s->model, &row, 0, &err) == SVLM_ERR_ARG);
    CHECK(svlm_features_from_rows(&features, s->model, &row, -1, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_cost(NULL, NULL, &n_bytes, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_cost(s->model, NULL, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_new(NULL, s->model, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_new(&chat, NULL, NULL, &err) == SVLM_ERR_ARG && !chat);
    CHECK(svlm_chat_add_text(NULL, "a", &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_features(NULL, s->features, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_tokens(NULL, NULL, 0, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_ask(NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_next(NULL, &piece, &n, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_reset(NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_last_token(NULL) == -1 && !svlm_chat_logits(NULL, NULL));
    CHECK(svlm_chat_get_stats(NULL, NULL) == SVLM_ERR_ARG);
    svlm_chat_free(NULL);
    svlm_features_close(NULL);
    svlm_image_close(NULL);
    svlm_model_close(NULL);
}

static void test_null_in_a_chat(void **state)
{
    small *s = *state;
    svlm_chat *chat = small_chat(s->model, NULL);
    const int32_t beyond = 1 << 20, negative = -1;
    const char *piece;
    size_t n;
    CHECK(svlm_chat_add_text(chat, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_features(chat, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_tokens(chat, NULL, 3, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_tokens(chat, &beyond, 1, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_add_tokens(chat, &negative, 1, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_next(chat, NULL, &n, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_next(chat, &piece, NULL, &err) == SVLM_ERR_ARG);
    CHECK(svlm_chat_next(chat, &piece, &n, &err) == SVLM_END && !piece && !n);
    CHECK(svlm_chat_ask(chat, &err) == SVLM_ERR_ARG);   /* nothing was asked */
    CHECK(strstr(err.message, "nothing was asked"));
    CHECK(!svlm_chat_logits(chat, NULL));
    CHECK(svlm_chat_get_stats(chat, NULL) == SVLM_ERR_ARG);
    CHECK(svlm_chat_ask(chat, NULL) == SVLM_ERR_ARG);   /* nobody listens */
    svlm_chat_free(chat);
}

static void test_struct_sizes(void **state)
{
    small *s = *state;
    svlm_model *model;
    svlm_chat *chat;
    svlm_model_options o = model_options(s);
    o.size = 0;
    CHECK(svlm_model_open(&model, &o, &err) == SVLM_ERR_ARG);
    o.size = offsetof(svlm_model_options, load);        /* a header before load was added */
    CHECK(svlm_model_open(&model, &o, &err) == SVLM_OK);
    svlm_model_close(model);
    struct { svlm_chat_options known; int unknown; } later;
    SVLM_INIT(&later.known);
    later.known.size = sizeof later;
    later.unknown = 0;
    memset((char *)&later + sizeof later.known, 0, sizeof later - sizeof later.known);
    CHECK(svlm_chat_new(&chat, s->model, &later.known, &err) == SVLM_OK);
    svlm_chat_free(chat);
    later.unknown = 1;
    CHECK(svlm_chat_new(&chat, s->model, &later.known, &err) == SVLM_ERR_ARG);
    svlm_model_info info;
    SVLM_INIT(&info);
    info.size = offsetof(svlm_model_info, n_params);
    info.n_params = 99;
    CHECK(svlm_model_get_info(s->model, &info) == SVLM_OK);
    CHECK(info.n_layers == 4 && info.n_params == 99);
}

static void test_info(void **state)
{
    small *s = *state;
    svlm_model_info i;
    SVLM_INIT(&i);
    CHECK(svlm_model_get_info(s->model, &i) == SVLM_OK);
    CHECK(i.n_layers == 4 && i.n_embd == 64 && i.n_heads == 4 && i.n_kv_heads == 2);
    CHECK(i.has_vision && i.image_size == 56 && i.n_image_tokens == 16 && !i.is_anyres);
    CHECK(i.n_vocab == 512 && i.n_params > 100000 && i.n_file_bytes > 200000);
    CHECK(strstr(i.description, "F16") && i.name[0] && !strcmp(i.template_name, "vicuna_v1"));
    CHECK(svlm_features_n_rows(s->features) == 16 && svlm_features_width(s->features) == 64);
    CHECK(svlm_version()[0] && svlm_isa()[0]);
}

static void expect_open(const char *model_path, const char *mmproj_path, svlm_status want,
                        const char *sentence)
{
    svlm_model_options o;
    svlm_model *model;
    SVLM_INIT(&o);
    o.model_path = model_path;
    o.mmproj_path = mmproj_path;
    svlm_status st = svlm_model_open(&model, &o, &err);
    if (st != want || !strstr(err.message, sentence))
        fail_msg("%d: %s", st, err.message);
    CHECK(!model);
}

static void test_files_that_are_no_pair(void **state)
{
    small *s = *state;
    const char *llm = s->files.llm, *mmproj = s->files.mmproj;
    expect_open(mmproj, NULL, SVLM_ERR_ARG, "not a language model");
    expect_open(llm, llm, SVLM_ERR_ARG, "not an mmproj file");
    expect_open(mmproj, llm, SVLM_ERR_ARG, "not a language model");
    expect_open("/nonexistent/x.gguf", NULL, SVLM_ERR_IO, "/nonexistent/x.gguf");
    expect_open(llm, "/nonexistent/y.gguf", SVLM_ERR_IO, "/nonexistent/y.gguf");
    expect_open("", NULL, SVLM_ERR_ARG, "model_path");
    expect_open("/dev/zero", NULL, SVLM_ERR_IO, "/dev/zero");
    tiny_model wider;
    sv_model_shape shape = tiny_shape();
    shape.n_embd = 128;
    tiny_model_make(&wider, &shape);
    expect_open(wider.llm, mmproj, SVLM_ERR_FORMAT, "64");
    CHECK(strstr(err.message, "128"));
    tiny_model_remove(&wider);
}

static void test_without_vision(void **state)
{
    small *s = *state;
    svlm_model_options o = model_options(s);
    svlm_model *model;
    svlm_features *features;
    svlm_model_info info;
    int32_t ids[N];
    o.mmproj_path = NULL;
    CHECK(!svlm_model_open(&model, &o, &err));
    SVLM_INIT(&info);
    CHECK(!svlm_model_get_info(model, &info) && !info.has_vision && !info.n_image_tokens);
    CHECK(svlm_features_encode(&features, model, s->image, NULL, &err) == SVLM_ERR_ARG);
    CHECK(!features && strstr(err.message, "mmproj"));
    svlm_chat *chat = small_chat(model, NULL);
    CHECK(small_ask(chat, NULL, "hello", ids, N) >= 0);
    svlm_chat_free(chat);
    svlm_model_close(model);
}

static void test_load_modes_and_threads(void **state)
{
    small *s = *state;
    svlm_model_options o = model_options(s);
    svlm_model *model;
    for (o.load = SVLM_LOAD_MAP; o.load <= SVLM_LOAD_REPACK; o.load++) {
        CHECK(!svlm_model_open(&model, &o, &err));
        svlm_model_close(model);
    }
    CHECK(svlm_model_open(&model, &o, &err) == SVLM_ERR_ARG);
    o.load = SVLM_LOAD_MAP;
    o.n_threads = -1;
    CHECK(svlm_model_open(&model, &o, &err) == SVLM_ERR_ARG);
}

static void count_warning(void *user, svlm_log_level level, const char *line)
{
    int *n = user;
    *n += level == SVLM_LOG_WARNING && strstr(line, "10000") != NULL;
}

static void test_many_threads_are_cut_with_a_warning(void **state)
{
    small *s = *state;
    svlm_model_options o = model_options(s);
    svlm_model *model;
    int n_warnings = 0;
    o.n_threads = 10000;
    o.log = count_warning;
    o.user = &n_warnings;
    CHECK(!svlm_model_open(&model, &o, &err) && n_warnings == 1);
    svlm_model_close(model);
}

/* There and back; one token alone; what does not fit is counted. */
static void test_detokenize(void **state)
{
    small *s = *state;
    static const char text[] = "a caf\xc3\xa9 \xf0\x9f\x90\x88?";
    int32_t ids[64], bad = -1;
    char back[64];
    size_t n, n_bytes;
    CHECK(!svlm_tokenize(s->model, text, sizeof text - 1, ids, 64, &n, &err) && n < 64);
    CHECK(!svlm_detokenize(s->model, ids, n, back, sizeof back, &n_bytes, &err));
    CHECK(n_bytes == sizeof text - 1 && !memcmp(back, text, n_bytes));
    memset(back, 'x', sizeof back);
    CHECK(!svlm_detokenize(s->model, ids, n, back, 3, &n_bytes, &err));
    CHECK(n_bytes == sizeof text - 1 && !memcmp(back, "a cx", 4));
    CHECK(!svlm_detokenize(s->model, NULL, 0, NULL, 0, &n_bytes, &err) && n_bytes == 0);
    CHECK(svlm_detokenize(s->model, &bad, 1, back, 3, &n_bytes, &err) == SVLM_ERR_ARG);
    bad = INT32_MAX;
    CHECK(svlm_detokenize(s->model, &bad, 1, back, 3, &n_bytes, &err) == SVLM_ERR_ARG);
    CHECK(svlm_detokenize(NULL, ids, n, back, 3, &n_bytes, &err) == SVLM_ERR_ARG);
    CHECK(svlm_detokenize(s->model, NULL, n, back, 3, &n_bytes, &err) == SVLM_ERR_ARG);
    CHECK(svlm_detokenize(s->model, ids, n, NULL, 3, &n_bytes, &err) == SVLM_ERR_ARG);
    CHECK(svlm_detokenize(s->model, ids, n, back, 3, NULL, &err) == SVLM_ERR_ARG);
}

static void test_tokenize(void **state)
{
    small *s = *state;
    static const char text[] = "abc </s> \0 <image>";
    int32_t ids[64];
    size_t n = 0, again = 0;
    CHECK(!svlm_tokenize(s->model, text, sizeof text - 1, NULL, 0, &n, &err) && n > 3 && n < 64);
    CHECK(!svlm_tokenize(s->model, text, sizeof text - 1, ids, n, &again, &err) && again == n);
    for (size_t i = 0; i < n; i++)
        CHECK(ids[i] > 2);        /* what looks like a special token is plain text */
    int32_t first[2] = { 0, -7 };
    CHECK(!svlm_tokenize(s->model, text, sizeof text - 1, first, 1, &again, &err) && again == n);
    CHECK(first[0] == ids[0] && first[1] == -7);
    CHECK(!svlm_tokenize(s->model, NULL, 0, NULL, 0, &n, &err) && n == 0);
}

static void test_own_rows(void **state)
{
    small *s = *state;
    svlm_features *copy;
    int32_t want[N], got[N];
    CHECK(!svlm_features_from_rows(&copy, s->model, svlm_features_rows(s->features),
                                   svlm_features_n_rows(s->features), &err));
    svlm_chat *chat = small_chat(s->model, NULL);
    int n = small_ask(chat, s->features, "what?", want, N);
    CHECK(!svlm_chat_reset(chat, &err));
    CHECK(small_ask(chat, copy, "what?", got, N) == n);
    CHECK(!memcmp(want, got, (size_t)n * sizeof *want));
    svlm_chat_free(chat);
    svlm_features_close(copy);
}

/* Frees the four objects in every order, and asks in between wherever that is possible. */
static void test_release_in_any_order(void **state)
{
    small *s = *state;
    size_t before = sv_alloc_alive();
    for (int order = 0; order < 24; order++) {
        svlm_model *model = small_open(s);
        svlm_image *image = small_image();
        svlm_features *features = small_features(model, image);
        svlm_chat *chat = small_chat(model, NULL);
        int left[4] = { 0, 1, 2, 3 }, code = order;
        small_add(chat, features, "what?");
        for (int n = 4; n > 0; code /= n--) {
            int pick = code % n, what = left[pick];
            left[pick] = left[n - 1];
            if (what == 0)
                svlm_model_close(model);
            else if (what == 1)
                svlm_image_close(image);
            else if (what == 2)
                svlm_features_close(features);
            else {
                int32_t ids[2];
                CHECK(!svlm_chat_ask(chat, &err) && small_read(chat, ids, 2) >= 0);
                svlm_chat_free(chat);
            }
        }
        CHECK(sv_alloc_alive() == before);
    }
}

static void test_a_file_that_shrinks(void **state)
{
    (void)state;
    small own;
    sv_model_shape shape = tiny_shape();
    tiny_model_make(&own.files, &shape);
    for (int load = SVLM_LOAD_MAP; load <= SVLM_LOAD_READ; load++) {
        svlm_model_options o = model_options(&own);
        svlm_model *model;
        tiny_model_remake(&own.files, &shape);
        o.load = (svlm_load)load;
        CHECK(!svlm_model_open(&model, &o, &err));
        svlm_chat *chat = small_chat(model, NULL);
        small_add(chat, NULL, "what?");
        CHECK(!truncate(own.files.llm, 100000));
        svlm_status st = svlm_chat_ask(chat, &err);
        CHECK(st == (load == SVLM_LOAD_MAP ? SVLM_ERR_IO : SVLM_OK));
        CHECK(!st || strstr(err.message, "shorter"));
        svlm_chat_free(chat);
        svlm_model_close(model);
    }
    tiny_model_remove(&own.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_is_answered),
        cmocka_unit_test(test_null_in_a_chat),
        cmocka_unit_test(test_struct_sizes),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_files_that_are_no_pair),
        cmocka_unit_test(test_without_vision),
        cmocka_unit_test(test_load_modes_and_threads),
        cmocka_unit_test(test_many_threads_are_cut_with_a_warning),
        cmocka_unit_test(test_tokenize),
        cmocka_unit_test(test_detokenize),
        cmocka_unit_test(test_own_rows),
        cmocka_unit_test(test_release_in_any_order),
        cmocka_unit_test(test_a_file_that_shrinks),
    };
    return cmocka_run_group_tests(tests, small_setup, small_teardown);
}
