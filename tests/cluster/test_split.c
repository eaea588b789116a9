/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Estimates of users from those of the pilots that they share: against the MMSE estimate of every user by itself, and
 * with gains that are off by what their variances say. */
#include "channel/random.h"
#include "cluster/split.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { K = 6, P = 3 };

static const int SEQUENCE[K] = {0, 2, 0, -1, 0, 1}; /* three on pilot 0, two alone, one silent */
static const float GAIN[K] = {4, 1, 0.5f, 2, 0.03f, 0.2f}, SURE[K] = {0};
static const double A = 9; /* pilot power over noise */

/* Of the pilots' sums: gain, and the error of their MMSE estimate. */
static void pilots(float beta[P], float error[P])
{
    for (int p = 0; p < P; p++) {
        double sum = 0;
        for (int k = 0; k < K; k++) {
            sum += SEQUENCE[k] == p ? (double)GAIN[k] : 0;
        }
        beta[p] = (float)sum;
        error[p] = (float)(sum / (A * sum + 1));
    }
}

static void known_gains_give_the_mmse_estimate(void **state)
{
    (void)state;
    float beta[P], error[P], factor[K], own_beta[K], own_error[K];
    pilots(beta, error);
    const struct split_pilots s = {P, K, SEQUENCE, beta, error, GAIN, SURE};
    split_factors(&s, factor, own_beta, own_error);
    const tutti_cf32 sums[2 * P] = {1 + 2 * I, 3, -1 * I, 0.5f, 2, 1};
    tutti_cf32 H[2 * K];
    split_rows(2, &s, factor, sums, H);
    for (int k = 0; k < K; k++) {
        const int p = SEQUENCE[k];
        const double b = (double)GAIN[k], B = p < 0 ? 0 : (double)beta[p];
        /* c_k / c_p and e_k of phy/estimate.h */
        assert_float_equal(factor[k], (float)(p < 0 ? 0 : b / B), 1e-6);
        assert_float_equal(own_beta[k], GAIN[k], 1e-6);
        assert_float_equal(own_error[k], (float)(p < 0 ? b : b - A * b * b / (A * B + 1)), 1e-6);
        for (int row = 0; row < 2; row++) {
            const double complex wanted = p < 0 ? 0 : b / B * (double complex)sums[row * P + p];
            assert_float_equal((float)cabs((double complex)H[row * K + k] - wanted), 0, 1e-6f);
        }
    }
}

/* Nobody has said anything yet: equal parts, and no certainty. */
static void unknown_gains_share_alike(void **state)
{
    (void)state;
    float beta[P], error[P], factor[K], own_beta[K], own_error[K];
    pilots(beta, error);
    const struct split_pilots s = {P, K, SEQUENCE, beta, error, SURE, SURE};
    split_factors(&s, factor, own_beta, own_error);
    assert_float_equal(factor[0], 1.0f / 3, 1e-6);
    assert_float_equal(factor[1], 1, 1e-6);
    assert_float_equal(own_beta[4], beta[0] / 3, 1e-6);
    assert_true(own_error[4] > 0.9f * own_beta[4]);
}

static double complex normal(uint64_t seed, uint64_t i)
{
    float re, im;
    random_normal(seed, i, &re, &im);
    return sqrt(0.5) * ((double)re + (double)im * I);
}

/* The mean square error is what is told, whatever the gains are off by. */
static void errors_of_gains_are_counted(void **state)
{
    (void)state;
    enum { N = 60000 };
    const double off = 0.2; /* relative, standard deviation */
    float beta[P], error[P];
    double told[K] = {0}, seen[K] = {0};
    pilots(beta, error);
    for (int n = 0; n < N; n++) {
        float gain[K], variance[K], factor[K], own_beta[K], own_error[K];
        double complex g[K], z = 0;
        for (int k = 0; k < K; k++) {
            float re, im;
            random_normal(5, (uint64_t)(n * K + k), &re, &im);
            gain[k] = GAIN[k] * (float)fmax(1 + off * (double)re, 0.01);
            variance[k] = (float)(off * off) * GAIN[k] * GAIN[k];
            g[k] = sqrt((double)GAIN[k]) * normal(6, (uint64_t)(n * K + k));
            z += SEQUENCE[k] == 0 ? sqrt(A) * g[k] : 0;
        }
        z += normal(7, (uint64_t)n);
        const struct split_pilots s = {P, K, SEQUENCE, beta, error, gain, variance};
        split_factors(&s, factor, own_beta, own_error);
        const double complex sum = sqrt(A) * (double)beta[0] / (A * (double)beta[0] + 1) * z;
        for (int k = 0; k < K; k++) {
            const double complex wrong = g[k] - (double)factor[k] * sum;
            seen[k] += SEQUENCE[k] == 0 ? creal(wrong * conj(wrong)) / N : 0;
            told[k] += (double)own_error[k] / N;
        }
    }
    for (int k = 0; k < K; k++) {
        if (SEQUENCE[k] == 0) {
            assert_in_range((int)(1000 * told[k] / seen[k]), 950, 1080);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_gains_give_the_mmse_estimate),
        cmocka_unit_test(unknown_gains_share_alike),
        cmocka_unit_test(errors_of_gains_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
