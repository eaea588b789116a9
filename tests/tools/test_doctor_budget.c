/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti doctor's verdict about the time to solve, with times made up and rooms by hand. Default frame: blocks of 9600
 * samples at 1.92 MHz, downlink from sample 31 * 137 = 4247 on, pilots there at sample 6 * 137 = 822. */
#include "tools/doctor/doctor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_SETS = 5 };

static enum host_verdict verdict_of(const char *const *sets, enum host_role role, double solve_us)
{
    struct config *config = NULL;
    int n = 0;
    while (n < MAX_SETS && sets[n]) {
        n++;
    }
    assert_int_equal(config_load(&config, NULL, sets, n), 0);
    struct host_measured measured = {NAN, NAN, NAN, NAN, NAN, {solve_us, 1e9}};
    const struct host_question question = {
        .root = "/nonexistent", .config = config, .role = role, .id = -1, .measured = &measured};
    struct host_finding findings[DOCTOR_N_NETWORK_CHECKS];
    enum host_verdict verdict = HOST_N_VERDICTS;
    const int n_findings = doctor_examine_network(&question, findings);
    for (int i = 0; i < n_findings; i++) {
        verdict = strcmp(findings[i].name, "budget") == 0 ? findings[i].verdict : verdict;
    }
    config_free(config);
    return verdict;
}

static void test_rooms(void **state)
{
    (void)state;
    const struct {
        const char *sets[MAX_SETS];
        double room_us;
    } cases[] = {
        /* pieces of 3200: pilots there at 3200, the downlink's piece due at 6400; less 400 us */
        {{"air.mode=paced"}, 3200 / 1.92 - 400},
        /* pieces of 100: 900 to 4300 */
        {{"air.mode=paced", "air.chunk_samples=100"}, 3400 / 1.92 - 400},
        {{"air.mode=paced", "engine.tx_lead_us=0"}, 3200 / 1.92},
        /* the lead is longer than the gap: a block later */
        {{"air.mode=paced", "air.fading.variation=jakes", "engine.tx_lead_us=2000"}, 3200 / 1.92 + 5000 - 2000},
        /* time to wait for more than a block does not let a solve take more than one */
        {{"air.mode=paced", "air.fading.variation=jakes", "engine.lag_blocks=2"}, 5000},
        /* a radio gives any sample: 822 to 4247 */
        {{"radio.ap.backend=uhd", "radio.ap.args=addr=192.168.10.2", "radio.ue.backend=uhd",
          "radio.ue.args=addr=192.168.10.2"},
         3425 / 1.92 - 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double half_us = cases[i].room_us / 2;
        assert_int_equal(verdict_of(cases[i].sets, HOST_ROLE_ANY, half_us - 0.1), HOST_GOOD);
        assert_int_equal(verdict_of(cases[i].sets, HOST_ROLE_ANY, half_us + 0.1), HOST_COSTS);
        assert_int_equal(verdict_of(cases[i].sets, HOST_ROLE_ANY, cases[i].room_us - 0.1), HOST_COSTS);
        assert_int_equal(verdict_of(cases[i].sets, HOST_ROLE_ANY, cases[i].room_us + 0.1), HOST_IMPOSSIBLE);
    }
}

/* Only the central node solves, and in lock-step time waits for it. */
static void test_who_and_when(void **state)
{
    (void)state;
    const char *const paced[MAX_SETS] = {"air.mode=paced"}, *const lockstep[MAX_SETS] = {"air.mode=lockstep"};
    assert_int_equal(verdict_of(paced, HOST_ROLE_CPU, 1e6), HOST_IMPOSSIBLE);
    assert_int_equal(verdict_of(paced, HOST_ROLE_AP, 1e6), HOST_TOLD);
    assert_int_equal(verdict_of(lockstep, HOST_ROLE_CPU, 1e6), HOST_TOLD);
    assert_int_equal(verdict_of(paced, HOST_ROLE_CPU, NAN), HOST_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rooms), cmocka_unit_test(test_who_and_when)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
