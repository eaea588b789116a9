/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_HW_TEST_H
#define TUTTI_TESTS_HW_TEST_H

#include "base/error.h"
#include "base/types.h"
#include "near.h" /* after cmocka.h */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        const int rc_ = (expression);                                                                                  \
        if (rc_ != TUTTI_OK) {                                                                                         \
            print_error("%s: %d %s\n", #expression, rc_, error_text());                                                \
            fail();                                                                                                    \
        }                                                                                                              \
    } while (0)

#endif
