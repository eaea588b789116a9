/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_CHANNEL_TEST_H
#define TUTTI_TESTS_CHANNEL_TEST_H

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

#endif
