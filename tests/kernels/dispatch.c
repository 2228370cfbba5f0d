/* SPDX-License-Identifier: MIT */
/* The ladder: what is there, what runs, and the cap. */
#include "check.h"

#include "simd/kernels.h"

static void test_ladder(void **state)
{
    (void)state;
    int can = 1, n = 0;
    assert_string_equal(sv_isa_name(0), "c");
    for (; sv_isa_name(n); n++) {
        const char *isa = sv_isa_name(n);
        const sv_kernels *k = sv_kernels_for(isa);
        CHECK(sv_cpu_can(isa) == (k != NULL));
        CHECK(can || !k);                       /* no rung above a missing one */
        can = k != NULL;
        if (k)
            assert_string_equal(k->isa, isa);
    }
    CHECK(!sv_isa_name(-1) && !sv_isa_name(n + 1));
    CHECK(!sv_kernels_for("abacus") && !sv_kernels_for(""));
    CHECK(!sv_cpu_can("abacus"));
}

/* main set SPARSEVLM_ISA before the first call. */
static void test_cap(void **state)
{
    (void)state;
    assert_string_equal(sv_kernels_get()->isa, "c");
    CHECK(sv_kernels_get() == sv_kernels_for("c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ladder), cmocka_unit_test(test_cap) };
    setenv("SPARSEVLM_ISA", "c", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
