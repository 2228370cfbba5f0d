/* SPDX-License-Identifier: MIT */
/* The GGUF writer: what it writes the reader understands, and nothing half done
 * is left behind. */
#include "check.h"
#include "faults.h"

#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "gguf/gguf_write.h"

static char folder[] = "/tmp/svlm-write-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/x.gguf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);         /* fails if a temporary file is still there */
}

static void put_all(sv_gguf_writer *w)
{
    static const sv_span texts[] = { { "one", 3 }, { "", 0 }, { "t\0o", 3 } };
    static const int32_t numbers[] = { 1, -2, 3 };
    sv_gguf_put_str(w, "general.architecture", "llama");
    sv_gguf_put_u32(w, "u", 4000000000u);
    sv_gguf_put_f32(w, "f", -0.5f);
    sv_gguf_put_bool(w, "b", 7);
    sv_gguf_put_array(w, "a", SV_GGUF_I32, numbers, 3);
    sv_gguf_put_strings(w, "s", texts, 3);
    sv_gguf_put_tensor(w, "first", SV_F32, 1, (uint64_t[]){ 5 });
    sv_gguf_put_tensor(w, "second", SV_Q8_0, 2, (uint64_t[]){ 64, 3 });
}

static void test_round_trip(void **state)
{
    (void)state;
    size_t alive = sv_alloc_alive();
    sv_gguf_writer *w;
    svlm_error err;
    CHECK(!sv_gguf_create(&w, path, &err));
    put_all(w);
    CHECK(sv_gguf_n_tensors(w) == 2 && sv_gguf_tensor_at(w, 1)->n_bytes == 204);
    static const float five[] = { 1, 2, 3, 4, 5 };
    uint8_t blocks[204];
    for (int i = 0; i < 204; i++)
        blocks[i] = (uint8_t)i;
    CHECK(!sv_gguf_write(w, five, 12, &err) && !sv_gguf_write(w, five + 3, 8, &err));
    CHECK(!sv_gguf_write(w, blocks, 204, &err));
    CHECK(access(path, F_OK) != 0);
    CHECK(!sv_gguf_commit(w, &err));
    sv_gguf_discard(w);

    sv_map map;
    sv_gguf g;
    CHECK(!sv_map_file(&map, path, 0, &err) && !sv_gguf_parse(&g, &map, &err));
    uint32_t u;
    float f;
    int b;
    sv_gguf_array a, s;
    CHECK(g.n_keys == 6 && !sv_gguf_get_u32(&g, "u", &u, &err) && u == 4000000000u);
    CHECK(!sv_gguf_get_f32(&g, "f", &f, &err) && f == -0.5f);
    CHECK(!sv_gguf_opt_bool(&g, "b", &b, &err) && b == 1);
    CHECK(!sv_gguf_opt_array(&g, "a", &a, &err) && a.n == 3 && sv_gguf_number(&a, 1) == -2);
    CHECK(!sv_gguf_opt_array(&g, "s", &s, &err) && s.n == 3);
    const uint8_t *at = s.data;
    CHECK(sv_gguf_next_string(&s, &at).n == 3 && sv_gguf_next_string(&s, &at).n == 0);
    CHECK(!memcmp(sv_gguf_next_string(&s, &at).p, "t\0o", 3));
    CHECK(!memcmp(sv_gguf_find(&g, "first")->data, five, sizeof five));
    CHECK(!memcmp(sv_gguf_find(&g, "second")->data, blocks, sizeof blocks));

    /* A copy of every key is the same header again. */
    CHECK(!sv_gguf_create(&w, path, &err));
    for (size_t i = 0; i < g.n_keys; i++)
        sv_gguf_put_copy(w, &g.keys[i]);
    CHECK(!sv_gguf_commit(w, &err));
    sv_gguf_discard(w);
    sv_map map2;
    sv_gguf g2;
    CHECK(!sv_map_file(&map2, path, 0, &err) && !sv_gguf_parse(&g2, &map2, &err) &&
          g2.n_keys == g.n_keys);
    for (size_t i = 0; i < g.n_keys; i++) {
        const sv_gguf_array *v = &g.keys[i].value, *v2 = &g2.keys[i].value;
        CHECK(v->n == v2->n && v->end - v->data == v2->end - v2->data &&
              !memcmp(v->data, v2->data, (size_t)(v->end - v->data)));
    }
    sv_gguf_free(&g);
    sv_gguf_free(&g2);
    sv_map_close(&map);
    sv_map_close(&map2);
    CHECK(sv_alloc_alive() == alive);
}

/* A limit on the file size stands for a full disk: writes fail in the same place. */
static void test_full_disk(void **state)
{
    (void)state;
    struct rlimit old, small = { 20000, RLIM_INFINITY };
    CHECK(!getrlimit(RLIMIT_FSIZE, &old));
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(!setrlimit(RLIMIT_FSIZE, &small));
    sv_gguf_writer *w;
    svlm_error err = { 0 };
    static float big[10000];
    CHECK(!sv_gguf_create(&w, path, &err));
    sv_gguf_put_tensor(w, "t", SV_F32, 1, (uint64_t[]){ 10000 });
    svlm_status st = sv_gguf_write(w, big, sizeof big, &err);
    if (!st)
        st = sv_gguf_commit(w, &err);
    CHECK(!setrlimit(RLIMIT_FSIZE, &old));
    CHECK(st == SVLM_ERR_IO && strstr(err.message, "x.gguf: "));
    sv_gguf_discard(w);
    sv_gguf_writer *none;
    CHECK(sv_gguf_create(&none, "/nonexistent/x.gguf", &err) == SVLM_ERR_IO && !none);
}

static svlm_status write_all(sv_gguf_writer *w, svlm_error *err)
{
    static const uint8_t zeros[204];
    svlm_status st;
    put_all(w);
    if ((st = sv_gguf_write(w, zeros, 20, err)) ||
        (st = sv_gguf_write(w, zeros, 204, err)) ||
        (st = sv_gguf_commit(w, err)))
        return st;
    return SVLM_OK;
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    size_t alive = sv_alloc_alive();
    int n = 0;
    for (svlm_status st = SVLM_ERR_NOMEM; st; ) {
        sv_gguf_writer *w;
        svlm_error err = { 0 };
        fault_at(n++);
        st = sv_gguf_create(&w, path, &err);
        if (!st)
            st = write_all(w, &err);
        fault_end();
        CHECK(!st || st == SVLM_ERR_NOMEM);
        sv_gguf_discard(w);
        CHECK(sv_alloc_alive() == alive);
    }
    CHECK(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
