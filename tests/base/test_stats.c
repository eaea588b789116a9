/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 20000 };
static struct stats_hist hist, part;
static uint64_t values[N];

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Against the sorted values: never below the true quantile and at most 1/128 above it. */
static void check_quantiles(size_t n)
{
    static const double q[] = {0.0001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999};
    qsort(values, n, sizeof *values, compare);
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        const uint64_t truth = values[(size_t)ceil(q[i] * (double)n) - 1];
        const uint64_t seen = stats_hist_quantile(&hist, q[i]);
        assert_true(seen >= truth);
        assert_true(seen - truth <= truth / 128);
    }
    assert_int_equal(stats_hist_quantile(&hist, 0.0), values[0]);
    assert_int_equal(stats_hist_quantile(&hist, 1.0), values[n - 1]);
    assert_int_equal(hist.min, values[0]);
    assert_int_equal(hist.max, values[n - 1]);
    assert_int_equal(hist.count, n);
}

static void test_quantiles_of_several_distributions(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        stats_hist_reset(&hist);
        for (int i = 0; i < N; i++) {
            const uint64_t r = next_random();
            values[i] = kind == 0   ? r % 40                                                       /* tiny */
                        : kind == 1 ? 90000 + r % 5000                                             /* narrow */
                        : kind == 2 ? (uint64_t)exp(40.0 * (double)(r >> 11) / 9007199254740992.0) /* 18 decades */
                                    : r >> (r & 63);                                               /* all octaves */
            stats_hist_add(&hist, values[i]);
        }
        check_quantiles(N);
    }
}

static void test_extremes_and_empty(void **state)
{
    (void)state;
    struct stats_hist zeroed;
    memset(&zeroed, 0, sizeof zeroed);
    assert_int_equal(stats_hist_quantile(&zeroed, 0.5), 0);
    assert_true(stats_hist_mean(&zeroed) == 0.0);
    stats_hist_add(&zeroed, UINT64_MAX);
    assert_int_equal(zeroed.min, UINT64_MAX);
    assert_int_equal(stats_hist_quantile(&zeroed, 0.5), UINT64_MAX);
    stats_hist_reset(&zeroed);
    stats_hist_add(&zeroed, 0);
    assert_int_equal(stats_hist_quantile(&zeroed, 0.99), 0);
    assert_int_equal(zeroed.bin[0], 1);
    stats_hist_add(&zeroed, 1000); /* its bin ends at 1003 */
    assert_int_equal(stats_hist_quantile(&zeroed, 0.99), 1000);
}

/* Edges rise, start at 0, and each value falls between its bin's edges. */
static void test_edges(void **state)
{
    (void)state;
    assert_int_equal(stats_hist_edge(0), 0);
    for (int b = 0; b < STATS_HIST_BINS; b++) {
        const uint64_t low = stats_hist_edge(b);
        const uint64_t high = b + 1 < STATS_HIST_BINS ? stats_hist_edge(b + 1) - 1 : UINT64_MAX;
        assert_true(high >= low);
        stats_hist_reset(&hist);
        stats_hist_add(&hist, low);
        stats_hist_add(&hist, high);
        assert_int_equal(hist.bin[b], 2);
    }
}

static void test_merge_equals_adding_all(void **state)
{
    (void)state;
    static struct stats_hist all;
    stats_hist_reset(&all);
    stats_hist_reset(&hist);
    for (int p = 0; p < 3; p++) {
        stats_hist_reset(&part);
        for (int i = 0; i < 1000 * p; i++) { /* the first part is empty */
            const uint64_t v = next_random() >> 20;
            stats_hist_add(&part, v);
            stats_hist_add(&all, v);
        }
        stats_hist_merge(&hist, &part);
    }
    stats_hist_reset(&part);
    stats_hist_merge(&hist, &part);
    assert_memory_equal(&hist, &all, sizeof all);
}

static void test_mean_is_exact(void **state)
{
    (void)state;
    stats_hist_reset(&hist);
    for (uint64_t v = 1; v <= 1000; v++) {
        stats_hist_add(&hist, v * 1000);
    }
    assert_true(stats_hist_mean(&hist) == 500500.0);
}

/* 1e9 + {4, 7, 13, 16}: mean 1e9 + 10, sample variance 30. The sum-of-squares formula loses it all. */
static void test_welford_far_from_zero(void **state)
{
    (void)state;
    static const double v[] = {4.0, 7.0, 13.0, 16.0};
    struct stats_mean mean = {0};
    assert_true(stats_mean_stderr(&mean) == 0.0);
    for (int i = 0; i < 4; i++) {
        stats_mean_add(&mean, 1e9 + v[i]);
        if (i == 0) {
            assert_true(stats_mean_stderr(&mean) == 0.0);
        }
    }
    assert_true(fabs(mean.mean - (1e9 + 10.0)) < 1e-6);
    assert_true(fabs(mean.m2 - 90.0) < 1e-5);
    assert_true(fabs(stats_mean_stderr(&mean) - sqrt(30.0 / 4.0)) < 1e-6);
}

static void test_welford_against_two_passes(void **state)
{
    (void)state;
    static double x[N];
    struct stats_mean mean = {0};
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < N; i++) {
        x[i] = (double)(next_random() >> 11) / 9007199254740992.0 - 0.25;
        sum += x[i];
        stats_mean_add(&mean, x[i]);
    }
    for (int i = 0; i < N; i++) {
        squares += (x[i] - sum / N) * (x[i] - sum / N);
    }
    assert_true(fabs(mean.mean - sum / N) < 1e-12);
    assert_true(fabs(stats_mean_stderr(&mean) / sqrt(squares / (N - 1) / N) - 1.0) < 1e-10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_of_several_distributions),
        cmocka_unit_test(test_extremes_and_empty),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_merge_equals_adding_all),
        cmocka_unit_test(test_mean_is_exact),
        cmocka_unit_test(test_welford_far_from_zero),
        cmocka_unit_test(test_welford_against_two_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
