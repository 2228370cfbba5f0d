/* SPDX-License-Identifier: MIT */
/* Callers and surroundings that the library does not choose: odd texts, a second thread, a
 * fork, small stacks, few descriptors, a locale with a decimal comma. */
#include "small.h"

#include <locale.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check.h"

/* What sanitizers add to every stack and mapping is not what is tested. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

enum { N = 6, SMALL_STACK = (IS_SANITIZED ? 512 : 64) << 10 };

static svlm_error err;

typedef struct reply { int32_t id[N]; int n; } reply;

static reply ask(svlm_model *model, svlm_features *features, const char *text)
{
    reply r = { { 0 }, 0 };
    svlm_chat_options o;
    SVLM_INIT(&o);
    o.n_ctx = 256;
    svlm_chat *chat = small_chat(model, &o);
    r.n = small_ask(chat, features, text, r.id, N);
    svlm_chat_free(chat);
    return r;
}

static int same(const reply *a, const reply *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, (size_t)a->n * sizeof a->id[0]);
}

/* ---- texts ------------------------------------------------------------------ */

static void test_odd_texts(void **state)
{
    static const char *const texts[] = {
        "", " ", "        ", "\n\n\n", "\x80", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xe2\x82", "\xee\x80\x80",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
        "<image>", "</s>", "<|im_end|>", "[INST] <<SYS>>", "\x1b[31m",
    };
    small *s = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const reply a = ask(s->model, s->features, texts[i]);
        const reply b = ask(s->model, s->features, texts[i]);
        CHECK(same(&a, &b));
    }
}

/* Merging is not quadratic: ten million letters, spaces or line ends take seconds. */
static void test_endless_texts(void **state)
{
    enum { MANY = 10000000 };
    small *s = *state;
    char *text = malloc(MANY);
    CHECK(text != NULL);
    for (const char *c = "x \n"; *c; c++) {
        size_t n = 0;
        memset(text, *c, MANY);
        CHECK(!svlm_tokenize(s->model, text, *c == 'x' ? MANY : MANY / 10, NULL, 0, &n, &err));
        CHECK(n > 0 && n <= MANY);
    }
    free(text);
}

/* ---- threads and processes --------------------------------------------------- */

typedef struct held { svlm_chat *chat; sem_t inside, go_on; svlm_status st; } held;

static int hold(void *user, svlm_stage stage, int done, int total)
{
    held *h = user;
    (void)stage, (void)total;
    if (!done) {
        sem_post(&h->inside);
        sem_wait(&h->go_on);
    }
    return 0;
}

static void *ask_and_hold(void *arg)
{
    held *h = arg;
    h->st = svlm_chat_ask(h->chat, NULL);
    sem_post(&h->inside);         /* in case it never came to hold */
    return NULL;
}

static void test_a_second_thread_is_told(void **state)
{
    small *s = *state;
    held h = { .st = SVLM_END };
    svlm_chat_options o;
    pthread_t thread;
    const char *piece;
    size_t n;
    SVLM_INIT(&o);
    o.progress = hold;
    o.user = &h;
    h.chat = small_chat(s->model, &o);
    small_add(h.chat, s->features, "what?");
    CHECK(!sem_init(&h.inside, 0, 0) && !sem_init(&h.go_on, 0, 0));
    CHECK(!pthread_create(&thread, NULL, ask_and_hold, &h));
    sem_wait(&h.inside);
    CHECK(svlm_chat_next(h.chat, &piece, &n, &err) == SVLM_ERR_BUSY);
    CHECK(svlm_chat_ask(h.chat, &err) == SVLM_ERR_BUSY && err.message[0]);
    sem_post(&h.go_on);
    CHECK(!pthread_join(thread, NULL) && h.st == SVLM_OK);
    int32_t ids[2];
    CHECK(small_read(h.chat, ids, 2) >= 0);
    svlm_chat_free(h.chat);
    sem_destroy(&h.inside);
    sem_destroy(&h.go_on);
}

/* A child may go on with a model of one thread. */
static void test_after_fork(void **state)
{
    small *s = *state;
    const reply want = ask(s->model, s->features, "what is it?");
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        const reply got = ask(s->model, s->features, "what is it?");
        _exit(same(&want, &got) ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
}

typedef struct from_files { const small *s; reply reply; } from_files;

static void *open_and_ask(void *arg)
{
    from_files *f = arg;
    svlm_model *model = small_open(f->s);
    svlm_features *features = small_features(model, f->s->image);
    f->reply = ask(model, features, "what is it?");
    svlm_features_close(features);
    svlm_model_close(model);
    return NULL;
}

static void *open_pictures(void *arg)
{
    static const char *const names[] = { "square224.png", "palette.png", "progressive.jpg" };
    const char *data = getenv("SVLM_TEST_DATA");
    for (int i = 0; i < 3; i++) {
        char path[4096];
        svlm_image *image;
        snprintf(path, sizeof path, "%s/images/%s", data ? data : "", names[i]);
        if (svlm_image_open(&image, path, NULL, &err))
            fail_msg("%s", err.message);
        svlm_image_close(image);
    }
    return open_and_ask(arg);
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* As in programs of other languages and C libraries, whose threads have small stacks:
 * 64 KiB above the least that a thread can have, where its local variables lie. */
static void test_small_stack(void **state)
{
    small *s = *state;
    const reply want = ask(s->model, s->features, "what is it?");
    from_files f = { .s = s };
    pthread_attr_t attr;
    pthread_t thread;
    size_t least = 16 << 10;
    CHECK(!pthread_attr_init(&attr));
    while (pthread_attr_setstacksize(&attr, least) ||
           pthread_create(&thread, &attr, do_nothing, NULL))
        CHECK((least += 4096) < 1 << 20);
    CHECK(!pthread_join(thread, NULL));
    CHECK(!pthread_attr_setstacksize(&attr, least + SMALL_STACK));
    CHECK(!pthread_create(&thread, &attr, open_pictures, &f) && !pthread_join(thread, NULL));
    CHECK(same(&want, &f.reply));
    pthread_attr_destroy(&attr);
}

/* ---- the process ------------------------------------------------------------- */

static void test_no_descriptors(void **state)
{
    small *s = *state;
    struct rlimit old, none;
    svlm_model_options o;
    svlm_model *model;
    svlm_image *image;
    SVLM_INIT(&o);
    o.model_path = s->files.llm;
    CHECK(!getrlimit(RLIMIT_NOFILE, &old));
    none = old;
    none.rlim_cur = 3;
    CHECK(!setrlimit(RLIMIT_NOFILE, &none));
    svlm_status st = svlm_model_open(&model, &o, &err);
    svlm_status image_st = svlm_image_open(&image, s->files.llm, NULL, NULL);
    CHECK(!setrlimit(RLIMIT_NOFILE, &old));
    CHECK(st == SVLM_ERR_IO && strstr(err.message, s->files.llm) && !model);
    CHECK(image_st == SVLM_ERR_IO && !image);
}

/* No address space left: the number of bytes is said. Sanitizers cannot do without. */
static void test_no_memory_left(void **state)
{
    small *s = *state;
    struct rlimit old, none;
    svlm_chat_options o;
    svlm_model *model;
    svlm_chat *chat;
    svlm_error open_err = { 0 };
    if (IS_SANITIZED)
        skip();
    SVLM_INIT(&o);
    o.n_ctx = 4096;
    CHECK(!getrlimit(RLIMIT_AS, &old));
    none = old;
    none.rlim_cur = 1 << 20;
    svlm_model_options mo;
    SVLM_INIT(&mo);
    mo.model_path = s->files.llm;
    CHECK(!setrlimit(RLIMIT_AS, &none));
    int is_limited = mmap(NULL, 2 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                     MAP_FAILED;  /* emulators may not know this limit */
    svlm_status open_st = svlm_model_open(&model, &mo, &open_err);
    svlm_status st = svlm_chat_new(&chat, s->model, &o, &err);
    CHECK(!setrlimit(RLIMIT_AS, &old));
    if (!is_limited) {
        svlm_model_close(model);
        svlm_chat_free(chat);
        skip();
    }
    CHECK(open_st == SVLM_ERR_NOMEM && !model && strstr(open_err.message, s->files.llm));
    CHECK(st == SVLM_ERR_NOMEM && !chat);
    CHECK(strstr(err.message, "4096 rows") && strstr(err.message, "bytes needed"));
}

/* A locale of the system's, or one made here. */
static int comma_locale(const char *folder)
{
    char command[256];
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        return 1;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null",
             folder);
    if (system(command) || setenv("LOCPATH", folder, 1))
        return 0;
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

static void test_decimal_comma(void **state)
{
    small *s = *state;
    char description[100], command[256];
    svlm_model_info info;
    from_files f = { .s = s };
    const reply want = ask(s->model, s->features, "what is it?");
    SVLM_INIT(&info);
    CHECK(!svlm_model_get_info(s->model, &info));
    snprintf(description, sizeof description, "%s", info.description);
    int has_comma = comma_locale(s->files.folder);
    if (has_comma) {
        svlm_model *model = small_open(s);
        CHECK(strcmp(localeconv()->decimal_point, ",") == 0);
        open_and_ask(&f);
        CHECK(same(&want, &f.reply));
        CHECK(!svlm_model_get_info(model, &info));
        assert_string_equal(info.description, description);
        svlm_model_close(model);
        setlocale(LC_ALL, "C");
    }
    snprintf(command, sizeof command, "rm -rf %s/de_DE.UTF-8", s->files.folder);
    CHECK(!system(command));
    if (!has_comma)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_endless_texts),
        cmocka_unit_test(test_a_second_thread_is_told),
        cmocka_unit_test(test_after_fork),
        cmocka_unit_test(test_small_stack),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_no_memory_left),
        cmocka_unit_test(test_decimal_comma),
    };
    return cmocka_run_group_tests(tests, small_setup, small_teardown);
}
