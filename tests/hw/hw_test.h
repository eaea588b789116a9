/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_HW_TEST_H
#define TUTTI_TESTS_HW_TEST_H

#include "base/error.h"
#include "base/types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance)                                                                                   \
    do {                                                                                                               \
        const double a_ = (a), b_ = (b), t_ = (tolerance);                                                             \
        if (!(fabs(a_ - b_) <= t_)) {                                                                                  \
            print_error("%s = %.9g, %s = %.9g, tolerance %.3g\n", #a, a_, #b, b_, t_);                                 \
            fail();                                                                                                    \
        }                                                                                                              \
    } while (0)

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        const int rc_ = (expression);                                                                                  \
        if (rc_ != TUTTI_OK) {                                                                                         \
            print_error("%s: %d %s\n", #expression, rc_, error_text());                                                \
            fail();                                                                                                    \
        }                                                                                                              \
    } while (0)

#endif
