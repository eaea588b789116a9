/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmocka, as the tests of the emulated device use it. */
#ifndef TUTTI_TESTS_USRP_TEST_H
#define TUTTI_TESTS_USRP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#endif
