/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/schedule.h"
#include "mimo/an_share.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 4, SILENT = 100 };

static void who_is_there_and_reports_is_served(void **state)
{
    (void)state;
    uint8_t alive[N_UE], used[N_UE];
    const struct schedule_user user[N_UE] = {{true, 950}, {true, 899}, {false, 1000}, {true, 900}};
    schedule_users(N_UE, user, 1000, SILENT, false, alive, used);
    assert_memory_equal(alive, ((const uint8_t[]){1, 0, 0, 1}), N_UE);
    assert_memory_equal(used, alive, N_UE);
}

static void with_nobody_known_everybody_is(void **state)
{
    (void)state;
    uint8_t alive[N_UE], used[N_UE];
    const struct schedule_user user[N_UE] = {{false, 0}, {true, 1}, {false, 0}, {false, 0}};
    schedule_users(N_UE, user, 1000, SILENT, false, alive, used);
    assert_memory_equal(used, ((const uint8_t[]){1, 1, 1, 1}), N_UE);
}

static void a_phase_shifter_serves_one_in_turn(void **state)
{
    (void)state;
    uint8_t alive[N_UE], used[N_UE];
    int served[N_UE] = {0};
    const struct schedule_user user[N_UE] = {{true, 500}, {false, 500}, {true, 500}, {true, 500}};
    for (uint64_t b = 500; b < 530; b++) {
        schedule_users(N_UE, user, b, SILENT, true, alive, used);
        assert_memory_equal(alive, ((const uint8_t[]){1, 0, 1, 1}), N_UE);
        int n = 0;
        for (int k = 0; k < N_UE; k++) {
            n += used[k];
            served[k] += used[k];
        }
        assert_int_equal(n, 1);
    }
    assert_memory_equal(served, ((const int[]){10, 0, 10, 10}), sizeof served);
}

static void the_share_leaves_everybody_the_target(void **state)
{
    (void)state;
    const float sinr[2 * 3] = {100, 1000, 0.001f, 200, 50, 1000}; /* user 2 is not served */
    const uint8_t used[3] = {1, 1, 0};
    const double share = an_share_spare(2, 3, sinr, used, 10, 0.9);
    assert_true(fabs(share - 0.8) < 1e-9); /* (1 - 0.8) 50 = 10 = 10 dB */
    assert_true(an_share_spare(2, 3, sinr, used, 10, 0.5) == 0.5);
    assert_true(an_share_spare(2, 3, sinr, used, 17, 0.9) == 0); /* nothing to spare */
    const uint8_t all[3] = {1, 1, 1}, none[3] = {0};
    assert_true(an_share_spare(2, 3, sinr, all, 10, 0.9) == 0);
    assert_true(an_share_spare(2, 3, sinr, none, 10, 0.9) == 0);
    const float zero[3] = {0, 5, 5};
    assert_true(an_share_spare(1, 3, zero, all, -300, 0.9) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_there_and_reports_is_served),
        cmocka_unit_test(with_nobody_known_everybody_is),
        cmocka_unit_test(a_phase_shifter_serves_one_in_turn),
        cmocka_unit_test(the_share_leaves_everybody_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
