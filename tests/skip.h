/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Skips that are counted: a program of which a test was skipped says why and ends with SKIP_STATUS, which ctest counts
 * as skipped and not as passed (tutti_test sets SKIP_RETURN_CODE). Failures go before skips. */
#ifndef TUTTI_TESTS_SKIP_H
#define TUTTI_TESTS_SKIP_H

#include <stdio.h>

enum { SKIP_STATUS = 77 };
static int skip_count;

/* In a cmocka test: why it is skipped, printf-like. Does not return. */
#define SKIP_BECAUSE(...)                                                                                              \
    do {                                                                                                               \
        skip_count++;                                                                                                  \
        printf("SKIPPED: %s: ", __func__);                                                                             \
        printf(__VA_ARGS__);                                                                                           \
        puts("");                                                                                                      \
        fflush(stdout);                                                                                                \
        skip();                                                                                                        \
    } while (0)

/* The exit status of a program of cmocka groups of which so many tests failed. */
static inline int skip_status(int n_failed)
{
    return n_failed ? 1 : skip_count ? SKIP_STATUS : 0;
}

#endif
