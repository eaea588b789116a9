/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_CHANNEL_TEST_H
#define TUTTI_TESTS_CHANNEL_TEST_H

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

#endif
