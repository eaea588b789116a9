/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict of `tutti latency compare`, and quantiles among blocks that were never answered. */
#include "tools/latency/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t random_state = 88172645463325252u;

static double uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

/* A shared drift, which pairs cancel, and a spread of each value around it. */
static void measure(double *a, double *b, int n, double ratio, double spread)
{
    for (int i = 0; i < n; i++) {
        const double drift = exp(2 * uniform());
        a[i] = 100 * drift * exp(spread * (uniform() + uniform() + uniform() - 1.5));
        b[i] = 100 * ratio * drift * exp(spread * (uniform() + uniform() + uniform() - 1.5));
    }
}

/* Of the same, 5 % of the verdicts are wrong; a difference of several spreads is seen; the interval holds the truth. */
static void test_intervals_hold_what_they_promise(void **state)
{
    enum { N = 6, TRIALS = 4000 };
    (void)state;
    double a[N], b[N];
    int n_false = 0, n_seen = 0, n_held = 0;
    for (int t = 0; t < TRIALS; t++) {
        measure(a, b, N, 1, 0.1);
        struct latency_interval i = latency_ratio(a, b, N);
        n_false += i.low > 1 || i.high < 1;
        measure(a, b, N, 1.3, 0.1);
        i = latency_ratio(a, b, N);
        n_seen += i.low > 1;
        n_held += i.low < 1.3 && i.high > 1.3;
        assert_true(i.low <= i.middle && i.middle <= i.high);
    }
    assert_in_range(n_false, TRIALS * 3 / 100, TRIALS * 7 / 100);
    assert_in_range(n_held, TRIALS * 93 / 100, TRIALS * 97 / 100);
    assert_true(n_seen > TRIALS * 9 / 10);
}

static void test_what_cannot_be_judged(void **state)
{
    (void)state;
    const double a[] = {1, 2, NAN}, b[] = {2, 4, 6}, zero[] = {0, 1, 1};
    assert_true(isnan(latency_ratio(a, b, 3).middle));
    assert_true(isnan(latency_ratio(zero, b, 3).middle));
    assert_true(isnan(latency_ratio(a, b, 1).low));
    assert_true(fabs(latency_ratio(a, b, 2).middle - 2) < 1e-12);
}

static void test_quantiles_over_all_that_were_due(void **state)
{
    (void)state;
    static struct latency_result r;
    for (int i = 1; i <= 90; i++) {
        stats_hist_add(&r.ns[LATENCY_BLOCK], (uint64_t)i * 1000000);
    }
    r.sent = 95;
    r.lost = 5;
    r.skipped = 5;
    assert_true(fabs(latency_block_quantile_us(&r, 0.5) - 50000) < 500); /* the 50th of 100 */
    assert_true(fabs(latency_block_quantile_us(&r, 0.9) - 90000) < 900);
    assert_true(isinf(latency_block_quantile_us(&r, 0.91)));
    r = (struct latency_result){0};
    assert_true(isinf(latency_block_quantile_us(&r, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_intervals_hold_what_they_promise),
                                       cmocka_unit_test(test_what_cannot_be_judged),
                                       cmocka_unit_test(test_quantiles_over_all_that_were_due)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
