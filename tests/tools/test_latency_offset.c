/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clock offset from exchanges whose truth is known. */
#include "tools/latency/offset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t state = 7;
static uint64_t draw(uint64_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

/* An exchange at time t (own clock) with these ways; the other clock is ahead by offset. */
static struct exchange make(uint64_t t, uint64_t up, uint64_t held, uint64_t down, int64_t offset)
{
    const uint64_t other = t + (uint64_t)offset;
    return (struct exchange){.t1 = t, .t2 = other + up, .t3 = other + up + held, .t4 = t + up + held + down};
}

static void test_true_offset_is_within_the_uncertainty(void **unused)
{
    (void)unused;
    enum { N = 50 };
    for (int trial = 0; trial < 500; trial++) {
        const int64_t offset = (int64_t)draw(2000000000u) - 1000000000;
        struct exchange e[N];
        uint64_t least = UINT64_MAX;
        for (int i = 0; i < N; i++) {
            const uint64_t up = 20000 + draw(500000), down = 30000 + draw(3000000);
            e[i] = make(1800000000000000000u + (uint64_t)i * 5000000, up, draw(1000000), down, offset);
            least = up + down < least ? up + down : least;
            assert_int_equal(exchange_ways_ns(&e[i]), up + down);
            assert_int_equal(exchange_up_ns(&e[i], offset), up);
            assert_int_equal(exchange_down_ns(&e[i], offset), down);
        }
        const struct offset estimate = offset_estimate(e, N);
        assert_int_equal(estimate.uncertainty_ns, (least + 1) / 2);
        assert_true((uint64_t)llabs(estimate.ns - offset) <= estimate.uncertainty_ns + 1);
    }
}

static void test_equal_ways_give_the_exact_offset(void **unused)
{
    (void)unused;
    /* the slow ones mislead, the quickest is symmetric */
    const struct exchange e[] = {make(1000000, 90000, 5, 10000, -123456), make(2000000, 4000, 77, 4000, -123456),
                                 make(3000000, 5000, 0, 90000, -123456)};
    const struct offset estimate = offset_estimate(e, 3);
    assert_int_equal(estimate.ns, -123456);
    assert_int_equal(estimate.uncertainty_ns, 4000);
}

static void test_never_negative(void **unused)
{
    (void)unused;
    const struct exchange e = make(1000000, 100, 0, 100, 0);
    assert_int_equal(exchange_up_ns(&e, 5000), 0);
    assert_int_equal(exchange_down_ns(&e, -5000), 0);
    const struct exchange impossible = {.t1 = 1000, .t2 = 1000, .t3 = 5000, .t4 = 2000};
    assert_int_equal(exchange_ways_ns(&impossible), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_true_offset_is_within_the_uncertainty),
                                       cmocka_unit_test(test_equal_ways_give_the_exact_offset),
                                       cmocka_unit_test(test_never_negative)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
