/* SPDX-License-Identifier: MIT */
/* lib/base/options: structs of an older or newer caller. */
#include "check.h"

#include "base/options.h"

/* a at the same place, and perhaps padding where b is now */
typedef struct old_options { size_t size; int a; } old_options;
typedef struct our_options { size_t size; int a, b; } our_options;
typedef struct new_options { size_t size; int a, b; double c; } new_options;

static void test_older_callers_get_defaults(void **state)
{
    (void)state;
    old_options theirs = { offsetof(our_options, b), 5 };
    our_options ours = { 1, 1, 1 };
    CHECK(sv_options_read(&ours, sizeof ours, &theirs, "test", NULL) == SVLM_OK);
    CHECK(ours.size == sizeof ours && ours.a == 5 && ours.b == 0);
    CHECK(sv_options_read(&ours, sizeof ours, NULL, "test", NULL) == SVLM_OK);
    CHECK(ours.size == sizeof ours && ours.a == 0 && ours.b == 0);
}

static void test_newer_callers_may_not_ask_for_more(void **state)
{
    (void)state;
    new_options theirs;
    SVLM_INIT(&theirs);
    theirs.b = 7;
    our_options ours;
    svlm_error err;
    CHECK(sv_options_read(&ours, sizeof ours, &theirs, "test", &err) == SVLM_OK);
    CHECK(ours.size == sizeof ours && ours.b == 7);
    theirs.c = 1;
    CHECK(sv_options_read(&ours, sizeof ours, &theirs, "test", &err) == SVLM_ERR_ARG);
    CHECK(strstr(err.message, "test") != NULL);
}

static void test_absurd_sizes(void **state)
{
    (void)state;
    our_options ours, theirs = { 0, 1, 2 };
    CHECK(sv_options_read(&ours, sizeof ours, &theirs, "test", NULL) == SVLM_ERR_ARG);
    CHECK(sv_result_write(&theirs, &ours, sizeof ours) == SVLM_ERR_ARG);
    theirs.size = SIZE_MAX;
    CHECK(sv_options_read(&ours, sizeof ours, &theirs, "test", NULL) == SVLM_ERR_ARG);
    CHECK(sv_result_write(&theirs, &ours, sizeof ours) == SVLM_ERR_ARG);
    CHECK(sv_result_write(NULL, &ours, sizeof ours) == SVLM_ERR_ARG);
}

static void test_results_fit_the_caller(void **state)
{
    (void)state;
    const our_options ours = { sizeof ours, 3, 4 };
    our_options older = { offsetof(our_options, b), 0, 99 };
    CHECK(sv_result_write(&older, &ours, sizeof ours) == SVLM_OK);
    CHECK(older.size == offsetof(our_options, b) && older.a == 3 && older.b == 99);
    new_options newer = { sizeof newer, 0, 0, 1.5 };
    CHECK(sv_result_write(&newer, &ours, sizeof ours) == SVLM_OK);
    CHECK(newer.size == sizeof newer && newer.b == 4 && newer.c == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_callers_get_defaults),
        cmocka_unit_test(test_newer_callers_may_not_ask_for_more),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_results_fit_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
