/* SPDX-License-Identifier: GPL-3.0-or-later */
/* After cmocka.h, math.h and what it needs. */
#ifndef TUTTI_TESTS_NEAR_H
#define TUTTI_TESTS_NEAR_H

#define assert_near(a, b, tolerance)                                                                                   \
    do {                                                                                                               \
        const double a_ = (a), b_ = (b), t_ = (tolerance);                                                             \
        if (!(fabs(a_ - b_) <= t_)) {                                                                                  \
            print_error("%s = %.9g, %s = %.9g, tolerance %.3g\n", #a, a_, #b, b_, t_);                                 \
            fail();                                                                                                    \
        }                                                                                                              \
    } while (0)

#endif
