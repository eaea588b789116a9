/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this folder share: a configuration filled by hand, random numbers, and a count of allocations. */
#ifndef TUTTI_TESTS_PHY_TEST_H
#define TUTTI_TESTS_PHY_TEST_H

#include "base/error.h"
#include "phy/frame.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The default network, written out so that these tests need no parser. The schedule is not freed. */
static inline struct config phy_test_config(void)
{
    static char schedule[] = "B G P4 U24 G D38 G";
    struct config c;
    memset(&c, 0, sizeof c);
    c.network.n_ue = 4;
    c.frame.sample_rate_hz = 1920000;
    c.frame.fft_size = 128;
    c.frame.n_used_subcarriers = 72;
    c.frame.n_cp_samples = 9;
    c.frame.block_us = 5000;
    c.frame.schedule = schedule;
    c.frame.n_dl_pilot_symbols = 4;
    c.frame.subcarriers_per_subband = 12;
    c.payload.modulation = CONFIG_QAM16;
    c.payload.max_code_block_bits = 6144;
    return c;
}

static inline struct frame phy_test_frame(void)
{
    const struct config c = phy_test_config();
    struct frame f;
    assert_int_equal(frame_init(&f, &c), 0);
    return f;
}

/* xorshift64*: not the generator of the code under test. */
static inline double test_uniform(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((double)((*state * 0x2545f4914f6cdd1du) >> 11) + 0.5) / 9007199254740992.0;
}

/* Circular complex Gaussian of variance 1. */
static inline double complex test_gaussian(uint64_t *state)
{
    const double radius = sqrt(-log(test_uniform(state)));
    return radius * cexp(2.0 * I * M_PI * test_uniform(state));
}

static inline double square(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

#endif
