/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/outage.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_BLOCK = 6, N_UE = 2 };

/* User 1's blocks: counted with a promise kept, broken, just kept; without a promise; without a report; not served. */
static void outage_of(struct outage *outage, int user)
{
    double measured[N_BLOCK * N_UE], predicted[N_BLOCK * N_UE];
    uint8_t used[N_BLOCK * N_UE];
    uint64_t solved[N_BLOCK];
    const double rate[N_BLOCK] = {3, 0, 2, 1, NAN, 0}, promised[N_BLOCK] = {2, 2, 2, NAN, 2, 2};
    for (int b = 0; b < N_BLOCK; b++) {
        measured[b * N_UE] = predicted[b * N_UE] = NAN;
        measured[b * N_UE + 1] = rate[b];
        predicted[b * N_UE + 1] = promised[b];
        used[b * N_UE] = 1;
        used[b * N_UE + 1] = b < 5;
        solved[b] = 1;
    }
    const struct recording r = {.n_block = N_BLOCK,
                                .n_ue = N_UE,
                                .secrecy_measured = measured,
                                .secrecy_predicted = predicted,
                                .user_used = used,
                                .solve_start_ns = solved};
    assert_int_equal(outage_create(outage, &r, user), 0);
}

static void test_rates_and_share(void **state)
{
    (void)state;
    struct outage outage;
    outage_of(&outage, 1);
    assert_int_equal(outage.n, 4);
    for (int i = 0; i < 4; i++) {
        assert_true(outage.rate[i] == i); /* 0 1 2 3: sorted, the user's own, none of those that do not count */
    }
    assert_true(fabs(outage.share - 1.0 / 3) < 1e-15);
    outage_destroy(&outage);
}

static void test_nothing_known(void **state)
{
    (void)state;
    struct outage outage;
    outage_of(&outage, 0);
    assert_int_equal(outage.n, 0);
    assert_true(isnan(outage.share));
    outage_destroy(&outage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates_and_share), cmocka_unit_test(test_nothing_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
