/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses in closed form against plain sums over what they describe. Values: tests/golden/data/beyond. */
#include "channel/random.h"
#include "mimo/expect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct expect_times demo_times(void)
{
    struct config *config = NULL;
    struct frame frame;
    assert_int_equal(config_load(&config, NULL, NULL, 0), 0);
    assert_int_equal(frame_init(&frame, config), 0);
    config_free(config);
    return expect_times_of(&frame);
}

static void times_are_the_frames(void **state)
{
    const struct expect_times t = demo_times();
    (void)state;
    assert_true(fabs(t.pilot_s / t.symbol_s - 4) < 1e-9 && fabs(t.first_data_s / t.symbol_s - 35.5) < 1e-9);
    assert_int_equal(t.n_data, 34);
    assert_true(fabs(t.spacing_hz - 15e3) < 1e-6);
}

/* A precoder applied a block later is a block older: what is new since the pilots grows with the square of their age.
 */
static void a_lag_ages(void **state)
{
    struct expect_times times = demo_times();
    (void)state;
    const double soon = expect_ageing(&times, 1).v1, gap_s = times.first_data_s + 16.5 * times.symbol_s - times.pilot_s;
    times.pilot_s -= 0.005; /* as expect_times_of does with lag_blocks = 1 */
    const double late = expect_ageing(&times, 1).v1;
    assert_true(fabs(late / soon / pow((gap_s + 0.005) / gap_s, 2) - 1) < 0.1);
}

/* Pilots that turn while they are sent, despread as an AP does it, give the channels that the matrix says; undoing the
 * matrix gives the effective channels of the true ones. */
static void turning_pilots_mix_channels(void **state)
{
    enum { K = 4 };
    const struct expect_times times = demo_times();
    const double cfo_hz[K] = {80, -33, 120, 10};
    const int pilot[K] = {0, 1, 2, 3};
    double complex X[K * K], h[K], estimate[K] = {0}, w[K * K], G[K * K], C[K * K];
    const uint64_t key = random_key(1, RANDOM_NOISE, 0, 0, 0);
    (void)state;
    for (int k = 0; k < K; k++) {
        h[k] = cexp(2 * I * M_PI * random_uniform(key, (uint64_t)k));
    }
    for (int t = 0; t < K; t++) { /* y_t = sum_q h_q phi_q[t] e^{j 2 pi f t}, times about the middle of the pilots */
        double complex y = 0;
        for (int q = 0; q < K; q++) {
            y += h[q] * cexp(-2 * I * M_PI * pilot[q] * t / K) *
                 cexp(2 * I * M_PI * cfo_hz[q] * (t - 1.5) * times.symbol_s);
        }
        for (int p = 0; p < K; p++) {
            estimate[p] += y * cexp(2 * I * M_PI * pilot[p] * t / K) / K;
        }
    }
    expect_mixing(&times, K, cfo_hz, pilot, X);
    for (int p = 0; p < K; p++) {
        double complex sum = 0;
        for (int q = 0; q < K; q++) {
            sum += h[q] * X[q * K + p];
        }
        assert_true(cabs(sum - estimate[p]) < 1e-12);
    }
    for (int i = 0; i < K * K; i++) {
        w[i] = cexp(2 * I * M_PI * random_uniform(key, (uint64_t)(100 + i)));
        G[i] = estimate[i / K] * w[i]; /* one antenna: estimate^T w */
    }
    assert_int_equal(expect_mixing_undo(K, X, G, C), 0);
    for (int j = 0; j < K; j++) {
        for (int k = 0; k < K; k++) {
            double complex again = 0;
            for (int q = 0; q < K; q++) {
                double complex x = 0;
                for (int t = 0; t < K; t++) {
                    x += cexp(2 * I * M_PI *
                              (cfo_hz[q] * (t - 1.5) * times.symbol_s - (pilot[q] - pilot[k]) * t / 4.0)) /
                         K;
                }
                again += x * C[q * K + j];
            }
            assert_true(cabs(again - G[k * K + j]) < 1e-9);
        }
    }
}

static void pilots_that_are_the_same_cannot_be_undone(void **state)
{
    const struct expect_times times = demo_times();
    const double cfo_hz[2] = {0, 0};
    const int pilot[2] = {1, 1};
    double complex X[4], G[4] = {1, 0, 0, 1}, C[4];
    (void)state;
    expect_mixing(&times, 2, cfo_hz, pilot, X);
    assert_true(expect_mixing_undo(2, X, G, C) < 0);
}

/* A Wiener phase drawn many times: power that one mean over the data leaves out. */
static void phase_noise_is_what_a_walk_loses(void **state)
{
    const struct expect_times times = demo_times();
    enum { TRIALS = 4000 };
    const double step = sqrt(2 * M_PI * 0.1 * times.symbol_s);
    double lost = 0;
    (void)state;
    for (int trial = 0; trial < TRIALS; trial++) {
        const uint64_t key = random_key(2, RANDOM_PHASE_NOISE, (uint64_t)trial, 0, 0);
        double phase = 0;
        double complex mean = 0;
        for (int t = 0; t < times.n_data; t++) {
            float z, unused;
            mean += cexp(I * phase) / times.n_data;
            random_normal(key, (uint64_t)t, &z, &unused);
            phase += step * (double)z;
        }
        lost += (1 - creal(mean * conj(mean))) / TRIALS;
    }
    assert_true(fabs(lost / expect_phase_noise(&times, 0.1) - 1) < 0.08);
}

static double complex error_of(uint64_t counter, double variance)
{
    float re, im;
    random_normal(9, counter, &re, &im);
    return sqrt(variance / 2) * CMPLX((double)re, (double)im);
}

/* Mean decibels of drawn SINRs less the decibels of the ratio of the mean powers: signals alone known badly, then
 * disturbance alone, then both. */
static void scattered_sinrs(void **state)
{
    enum { STREAMS = 4, DRAWS = 40000, CASES = 3 };
    static const double known[STREAMS] = {30, 4, 0, 1},
                        unknown[CASES][STREAMS] = {{6, 0, 0, 0}, {0, 3, 4, 2}, {6, 3, 4, 2}};
    (void)state;
    for (int i = 0; i < CASES; i++) {
        struct expect_scatter s = {.disturbance = 1};
        double sum_db = 0;
        for (int j = 0; j < STREAMS; j++) {
            expect_scatter_add(&s, j == 0, known[j], unknown[i][j]);
        }
        for (uint64_t d = 0; d < DRAWS; d++) {
            double power[2] = {0, 1};
            for (int j = 0; j < STREAMS; j++) {
                const double a = cabs(sqrt(known[j]) + error_of(d * STREAMS + (uint64_t)j, unknown[i][j]));
                power[j > 0] += a * a;
            }
            sum_db += 10 * log10(power[0] / power[1]) / DRAWS;
        }
        const double told_db = 10 * log10(expect_scatter_factor(&s)),
                     drawn_db = sum_db - 10 * log10(s.signal / s.disturbance);
        assert_true(fabs(i == 2 ? 1 : drawn_db) > 0.4); /* there is something to tell */
        assert_true(fabs(told_db - drawn_db) < 0.15);   /* 0.02 of chance, third moments */
    }
    assert_true(expect_scatter_factor(&(struct expect_scatter){.disturbance = 1}) == 1);
}

static void no_imperfection_costs_nothing(void **state)
{
    const struct expect_times times = demo_times();
    const struct expect_ageing still = expect_ageing(&times, 0);
    const double powers[] = {3, 1}, delays[] = {0, 0};
    const struct expect_spread flat = expect_spread(2, powers, delays, 12, 128, 16, 4);
    (void)state;
    assert_true(fabs(still.rho_mean - 1) < 1e-12 && fabs(still.v1) < 1e-12 && fabs(still.v2) < 1e-12);
    assert_true(expect_ageing_zf(&still, 16, 4) < 1e-12);
    assert_true(fabs(expect_cfo_kept(&times, 0) - 1) < 1e-12 && expect_cfo_leak(&times, 0) == 0);
    assert_true(fabs(flat.own) < 1e-15 && fabs(flat.leak) < 1e-15);
    assert_true(expect_ap_phase(&times, 0, 10) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_the_frames),
        cmocka_unit_test(a_lag_ages),
        cmocka_unit_test(turning_pilots_mix_channels),
        cmocka_unit_test(pilots_that_are_the_same_cannot_be_undone),
        cmocka_unit_test(phase_noise_is_what_a_walk_loses),
        cmocka_unit_test(scattered_sinrs),
        cmocka_unit_test(no_imperfection_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
