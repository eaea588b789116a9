/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

static void test_clocks_agree_with_the_system(void **state)
{
    (void)state;
    const uint64_t a = clock_mono_ns();
    const uint64_t b = clock_mono_ns();
    assert_true(b >= a);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    assert_in_range((uint64_t)t.tv_sec, b / 1000000000u, b / 1000000000u + 5);
    const time_t wall_s = time(NULL);
    assert_in_range(clock_wall_ns() / 1000000000u, (uint64_t)wall_s, (uint64_t)wall_s + 5);
}

static volatile sig_atomic_t n_alarms;

static void on_alarm(int number)
{
    (void)number;
    n_alarms++;
}

static void test_sleep_lasts_through_signals(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval every_2_ms = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every_2_ms, NULL);
    const uint64_t until = clock_mono_ns() + 30000000u;
    clock_sleep_until_ns(until);
    const uint64_t woke = clock_mono_ns();
    setitimer(ITIMER_REAL, &off, NULL);
    assert_true(woke >= until);
    assert_true(n_alarms > 0);
}

static void test_sleep_into_the_past_returns(void **state)
{
    (void)state;
    const uint64_t before = clock_mono_ns();
    clock_sleep_until_ns(before - 1000000000u);
    clock_sleep_until_ns(0);
    assert_true(clock_mono_ns() - before < 500000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_agree_with_the_system),
        cmocka_unit_test(test_sleep_lasts_through_signals),
        cmocka_unit_test(test_sleep_into_the_past_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
