/* SPDX-License-Identifier: MIT */
/* The few lines every test program shares: cmocka with a repeatable seed. */
#ifndef SV_CHECK_H
#define SV_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The seed of this run: SEED from the environment, else a fixed one. */
static inline uint64_t check_seed(void)
{
    const char *s = getenv("SEED");
    return s ? strtoull(s, NULL, 10) : 20261126;
}

#define CHECK(cond) assert_true(cond)

#endif
