/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/ladder.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_EACH = 6 };

static void learn(struct ladder *ladder, enum mimo_scheme scheme, double subband_us)
{
    ladder_learn(ladder, scheme, (uint64_t)(subband_us * 1e3 * N_EACH), N_EACH);
}

static void the_best_that_fits_is_chosen(void **state)
{
    (void)state;
    struct ladder ladder = {.noise_ns = 0};
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 1e3, N_EACH), MIMO_OB); /* never tried: tried */
    learn(&ladder, MIMO_OB, 1000);
    ladder.subband_ns[MIMO_ZF] = 20e3;
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 6.1e6, N_EACH), MIMO_OB);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 5.9e6, N_EACH), MIMO_ZF);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 121e3, N_EACH), MIMO_ZF);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 119e3, N_EACH), MIMO_CB);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, -1e9, N_EACH), MIMO_CB); /* too late for all: the last one */
    assert_int_equal(ladder_choose(&ladder, MIMO_CB, -1e9, N_EACH), MIMO_CB);
}

/* The number of the scheme that a row of the benchmark is about, -1: none, or one asked for and not stepped down to. */
static int scheme_of(const char *what)
{
    char name[32] = "";
    const size_t n = strcspn(what, ",");
    if (n < sizeof name) {
        memcpy(name, what, n);
    }
    return mimo_scheme_find(name);
}

/* Costs of one section and variant, and how many rungs have been compared. */
struct costs {
    char key[160];
    double us[MIMO_N_SCHEMES];
    int n_compared;
};

static void compare(struct costs *costs)
{
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        const int below = (int)mimo_scheme_below((enum mimo_scheme)s);
        if (below == s || !(costs->us[s] > 0) || !(costs->us[below] > 0)) {
            continue;
        }
        if (costs->us[below] >= costs->us[s]) {
            fail_msg("%s: %s takes %g us, the rung below, %s, %g us", costs->key, mimo_scheme_name(s), costs->us[s],
                     mimo_scheme_name(below), costs->us[below]);
        }
        costs->n_compared++;
    }
    memset(costs->us, 0, sizeof costs->us);
}

/* Stepping down saves time: by what the benchmark measured, `bench_mimo --json ladder`. */
static void every_rung_is_cheaper_than_the_one_above(void **state)
{
    (void)state;
    FILE *file = fopen(LADDER_COSTS, "r");
    struct costs costs = {0};
    char line[1024];
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        const char *section = json_string_value(json_object_get(row, "section"));
        const char *what = json_string_value(json_object_get(row, "what"));
        char key[sizeof costs.key];
        assert_true(section && what && strchr(what, ','));
        snprintf(key, sizeof key, "%s%s", section, strchr(what, ','));
        if (strcmp(key, costs.key) != 0) {
            compare(&costs);
            memcpy(costs.key, key, sizeof key);
        }
        const int scheme = scheme_of(what);
        if (scheme >= 0) {
            costs.us[scheme] = json_number_value(json_object_get(row, "median_us"));
        }
        json_decref(row);
    }
    compare(&costs);
    fclose(file);
    assert_true(costs.n_compared >= 8 * 5); /* four shapes, two powers, five rungs that are not the last */
}

/* Every scheme's way down ends. */
static void every_way_down_ends(void **state)
{
    (void)state;
    struct ladder ladder = {.noise_ns = 1e12};
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        ladder.subband_ns[s] = 1e12;
    }
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        const enum mimo_scheme last = ladder_choose(&ladder, (enum mimo_scheme)s, 0, N_EACH);
        assert_int_equal(mimo_scheme_below(last), last);
    }
}

/* Phase-only noise comes after the precoders: they step down for it, but it has no more than half of the budget. */
static void the_noise_has_its_part(void **state)
{
    (void)state;
    struct ladder ladder = {.noise_ns = 0};
    learn(&ladder, MIMO_OB, 1000);
    ladder.subband_ns[MIMO_ZF] = 20e3;
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 6.5e6, N_EACH), MIMO_OB);
    ladder_learn_noise(&ladder, 100000 * N_EACH, N_EACH);
    assert_true(ladder.noise_ns == 100e3 && ladder_left_ns(&ladder, 6.5e6, N_EACH) == 5.9e6);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 6.5e6, N_EACH), MIMO_ZF);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 6.7e6, N_EACH), MIMO_OB);
    for (int i = 0; i < 100; i++) {
        ladder_learn_noise(&ladder, UINT64_C(10000000) * N_EACH, N_EACH); /* never fits */
    }
    assert_true(ladder_left_ns(&ladder, 6.5e6, N_EACH) == 3.25e6 && ladder_left_ns(&ladder, -5, N_EACH) == -5);
    assert_int_equal(ladder_choose(&ladder, MIMO_OB, 241e3, N_EACH), MIMO_ZF);
}

static void costs_are_averaged(void **state)
{
    (void)state;
    struct ladder ladder = {.noise_ns = 0};
    learn(&ladder, MIMO_ZF, 10);
    assert_true(ladder.subband_ns[MIMO_ZF] == 10e3);
    learn(&ladder, MIMO_ZF, 20);
    assert_true(ladder.subband_ns[MIMO_ZF] > 10.9e3 && ladder.subband_ns[MIMO_ZF] < 11.1e3);
}

/* A slow block, or a process that was stopped inside a solve, bans a scheme for a while and not for the run. */
static void a_scheme_left_out_is_forgiven(void **state)
{
    (void)state;
    struct ladder ladder = {.noise_ns = 0};
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
        cmocka_unit_test(the_best_that_fits_is_chosen), cmocka_unit_test(every_rung_is_cheaper_than_the_one_above),
        cmocka_unit_test(every_way_down_ends),          cmocka_unit_test(costs_are_averaged),
        cmocka_unit_test(the_noise_has_its_part),       cmocka_unit_test(a_scheme_left_out_is_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
