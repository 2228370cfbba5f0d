/* SPDX-License-Identifier: MIT */
/* lib/base: what the rest of the library leans on. */
#include "check.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/mapfile.h"
#include "base/rng.h"
#include "base/threads.h"
#include "base/type.h"
#include "base/utf8.h"

static void test_fail_escapes(void **state)
{
    (void)state;
    svlm_error err = { 0 };
    CHECK(sv_fail(&err, SVLM_ERR_IO, "bad %s", "a\x1b[31mb\xff\xc3\xa9") == SVLM_ERR_IO);
    CHECK(err.status == SVLM_ERR_IO);
    assert_string_equal(err.message, "bad a\\x1b[31mb\\xff\xc3\xa9");
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    sv_fail(&err, SVLM_ERR_IO, "%s", longer);
    CHECK(strlen(err.message) == sizeof err.message - 1);
    CHECK(sv_fail(NULL, SVLM_ERR_ARG, "nobody listens") == SVLM_ERR_ARG);
}

static void test_alloc(void **state)
{
    (void)state;
    size_t alive = sv_alloc_alive();
    CHECK(!sv_malloc(SV_MEM_TEMP, SIZE_MAX / 2, 3));
    CHECK(!sv_malloc(SV_MEM_TEMP, SIZE_MAX, 1));
    unsigned char *p = sv_calloc(SV_MEM_TEMP, 3, 5);
    CHECK(p && (uintptr_t)p % 64 == 0);
    for (int i = 0; i < 15; i++)
        CHECK(p[i] == 0);
    p[14] = 7;
    p = sv_realloc(SV_MEM_TEMP, p, 1000, 10);
    CHECK(p && p[14] == 7);
    CHECK(sv_alloc_alive() > alive);
    sv_free(p);
    sv_free(NULL);
    CHECK(sv_alloc_alive() == alive);
}

static void test_arena_measures_what_it_takes(void **state)
{
    (void)state;
    sv_arena a = { 0 };
    CHECK(!sv_take(&a, 3, 5) && a.used == 64);
    CHECK(!sv_take(&a, 65, 1) && a.used == 192);
    _Alignas(64) unsigned char base[192];
    sv_arena b = { .base = base, .size = a.used };
    CHECK(sv_take(&b, 3, 5) == base);
    CHECK(sv_take(&b, 65, 1) == base + 64);
    CHECK(!b.overflow);
    CHECK(!sv_take(&b, 1, 1) && b.overflow);
    sv_take(&a, SIZE_MAX / 2, 4);
    CHECK(a.overflow);
}

static void test_utf8(void **state)
{
    (void)state;
    static const uint32_t codes[] = { 0x24, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        uint8_t b[4];
        uint32_t back = 0;
        int n = sv_utf8_encode(codes[i], b);
        CHECK(sv_utf8_decode(b, (size_t)n, &back) == n && back == codes[i]);
        CHECK(sv_utf8_announced(b[0]) == n);
        CHECK(sv_utf8_complete(b, (size_t)n) == (size_t)n);
        if (n > 1)
            CHECK(sv_utf8_complete(b, (size_t)n - 1) == 0 && !sv_utf8_decode(b, (size_t)n - 1, &back));
    }
    uint32_t c;
    CHECK(!sv_utf8_decode((const uint8_t *)"\xc0\x80", 2, &c));          /* overlong  */
    CHECK(!sv_utf8_decode((const uint8_t *)"\xed\xa0\x80", 3, &c));      /* surrogate */
    CHECK(!sv_utf8_decode((const uint8_t *)"\xf4\x90\x80\x80", 4, &c));  /* too large */
    CHECK(!sv_utf8_decode((const uint8_t *)"\x80", 1, &c));
    CHECK(sv_utf8_complete((const uint8_t *)"ab\x80\x80\x80\x80", 6) == 6);
}

static void add_square(void *arg, int task, int thread)
{
    (void)thread;
    ((int *)arg)[task] += task * task;
}

static void test_parallel_runs_each_task_once(void **state)
{
    (void)state;
    for (int threads = -1; threads < 9; threads++) {
        int sum[100] = { 0 };
        sv_parallel(threads, 100, add_square, sum);
        for (int i = 0; i < 100; i++)
            CHECK(sum[i] == i * i);
    }
    CHECK(sv_threads_available() >= 1);
}

static void test_rng_repeats(void **state)
{
    (void)state;
    sv_rng a = { check_seed() }, b = a;
    double sum = 0, square = 0;
    for (int i = 0; i < 10000; i++) {
        CHECK(sv_rng_below(&a, 7) < 7);
        double x = sv_rng_normal(&a);
        sum += x;
        square += x * x;
    }
    for (int i = 0; i < 10000; i++) {
        sv_rng_below(&b, 7);
        sv_rng_normal(&b);
    }
    CHECK(a.state == b.state);
    /* Six standard errors of the mean and the variance of 10000 normals. */
    CHECK(sum / 10000 < 0.06 && sum / 10000 > -0.06);
    CHECK(square / 10000 < 1.085 && square / 10000 > 0.915);
}

static void test_types(void **state)
{
    (void)state;
    CHECK(sv_type_bytes(SV_Q4_K, 512) == 288);
    CHECK(sv_type_by_name("q4_k") == SV_Q4_K && sv_type_by_name("q9") == -1);
    CHECK(!sv_type_get(4) && !sv_type_get(31) && !sv_type_get(UINT32_MAX));
    CHECK(strstr(sv_type_refusal(4), "withdrawn") && strstr(sv_type_refusal(17), "IQ2_XS"));
    CHECK(strstr(sv_type_refusal(UINT32_MAX), "unknown"));
}

static void test_mapfile(void **state)
{
    (void)state;
    char name[] = "/tmp/svlm-base-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
    for (int copy = 0; copy < 2; copy++) {
        sv_map m;
        svlm_error err;
        CHECK(sv_map_file(&m, name, copy, &err) == SVLM_OK);
        CHECK(m.size == 5 && !memcmp(m.data, "hello", 5));
        CHECK(sv_map_check(&m, &err) == SVLM_OK);
        if (!copy) {
            CHECK(ftruncate(fd, 3) == 0);
            CHECK(sv_map_check(&m, &err) == SVLM_ERR_IO);
            CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, "hello", 5, 0) == 5);
        }
        sv_map_close(&m);
        CHECK(!m.data);
    }
    close(fd);
    unlink(name);
    sv_map m;
    svlm_error err;
    CHECK(sv_map_file(&m, name, 0, &err) == SVLM_ERR_IO && strstr(err.message, name));
    CHECK(sv_map_file(&m, "/tmp", 0, &err) == SVLM_ERR_IO && strstr(err.message, "directory"));
    CHECK(sv_map_file(&m, "/dev/null", 0, &err) == SVLM_ERR_IO);
    CHECK(!m.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_escapes), cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_arena_measures_what_it_takes), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_parallel_runs_each_task_once), cmocka_unit_test(test_rng_repeats),
        cmocka_unit_test(test_types), cmocka_unit_test(test_mapfile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
