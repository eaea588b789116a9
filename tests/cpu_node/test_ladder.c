/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_EACH = 6 };

static void learn(struct ladder *ladder, enum mimo_scheme scheme, double subband_us)
{
    ladder_learn(ladder, scheme, (uint64_t)(subband_us * 1e3 * N_EACH), N_EACH);
}

static void the_best_that_fits_is_chosen(void **state)
{
    (void)state;
    struct ladder ladder = {{0}};
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 1e3, N_EACH), MIMO_OB); /* never tried: tried */
    learn(&ladder, MIMO_OB, 1000);
    ladder.subband_ns[MIMO_ZF] = 20e3;
    ladder.subband_ns[MIMO_PPZF] = 10e3;
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 6.1e6, N_EACH), MIMO_OB);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 5.9e6, N_EACH), MIMO_ZF);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 119e3, N_EACH), MIMO_PPZF);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 59e3, N_EACH), MIMO_CB);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, -1e9, N_EACH), MIMO_CB); /* too late for all: the last one */
    assert_int_equal(ladder_choose(&ladder, MIMO_CB, -1e9, N_EACH), MIMO_CB);
}

/* Every scheme's way down ends. */
static void every_way_down_ends(void **state)
{
    (void)state;
    struct ladder ladder;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        ladder.subband_ns[s] = 1e12;
    }
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        const enum mimo_scheme last = ladder_choose(&ladder, (enum mimo_scheme)s, 0, N_EACH);
        assert_int_equal(mimo_scheme_below(last), last);
    }
}

static void costs_are_averaged(void **state)
{
    (void)state;
    struct ladder ladder = {{0}};
    learn(&ladder, MIMO_ZF, 10);
    assert_true(ladder.subband_ns[MIMO_ZF] == 10e3);
    learn(&ladder, MIMO_ZF, 20);
    assert_true(ladder.subband_ns[MIMO_ZF] > 10.9e3 && ladder.subband_ns[MIMO_ZF] < 11.1e3);
}

/* A slow block, or a process that was stopped inside a solve, bans a scheme for a while and not for the run. */
static void a_scheme_left_out_is_forgiven(void **state)
{
    (void)state;
    struct ladder ladder = {{0}};
    const double left_ns = 3e6; /* a usual budget; the optimum takes 1.2 ms of it */
    for (int b = 0; b < 100; b++) {
        learn(&ladder, MIMO_OB, 200);
    }
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, left_ns, N_EACH), MIMO_OB);
    ladder_learn(&ladder, MIMO_OB, UINT64_MAX, N_EACH); /* absurdly long, e.g. stopped for an hour */
    int left_out = 0;
    while (ladder_choose(&ladder, MIMO_OB, left_ns, N_EACH) != MIMO_OB) {
        learn(&ladder, MIMO_ZF, 5);
        left_out++;
        assert_true(left_out < 1000);
    }
    assert_true(left_out > 10); /* not at once either */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_that_fits_is_chosen),
        cmocka_unit_test(every_way_down_ends),
        cmocka_unit_test(costs_are_averaged),
        cmocka_unit_test(a_scheme_left_out_is_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
