/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers handed to the beams of fzf, pzf and ppzf: equal ones change nothing, a user's zero silences it at that AP, and
 * amplitudes go with the root of the power; in a batch as one by one. So with the coefficients of cb. */
#include "mimo/precoder.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { M = 5, N = 6, K = 4, N_SB = 9, SIZE = M * N * K };

static struct channel_case cases[N_SB];
static struct mimo_solution solutions[N_SB];
static precoder_t *precoder;

static void solve(enum mimo_scheme scheme, const double *eta)
{
    struct mimo_channel channels[N_SB];
    for (int b = 0; b < N_SB; b++) {
        channels[b] = cases[b].channel;
        channels[b].ap_power = cases[0].channel.ap_power;
        channels[b].eta = eta;
    }
    precoder_execute_batch(precoder, scheme, MIMO_POWER_EQUAL, N_SB, channels, solutions);
}

static void given_powers_are_used(void **state)
{
    (void)state;
    static const enum mimo_scheme schemes[] = {MIMO_PPZF, MIMO_PZF, MIMO_FZF};
    static tutti_cf32 reference[N_SB][SIZE];
    struct random random = {91};
    double equal[M * K], low[M * K], given[M * K];
    for (int b = 0; b < N_SB; b++) {
        case_create(&cases[b], &random, M, N, K, 20, 30, 0.05);
        solutions[b] = cases[b].solution;
    }
    for (int i = 0; i < M * K; i++) {
        equal[i] = (double)cases[0].P[i / K] / K;
        low[i] = 0.01 * equal[i]; /* far below the cap */
        given[i] = low[i] * (i % 3);
    }
    assert_int_equal(precoder_create(&precoder, &cases[0].shape), 0);
    for (int s = 0; s < 6; s++) { /* even: the rule against the same powers handed in; odd: others against low ones */
        solve(schemes[s / 2], s % 2 ? low : NULL);
        for (int b = 0; b < N_SB; b++) {
            for (int i = 0; i < SIZE; i++) {
                const float factor = s % 2 ? sqrtf((float)((i / (N * K) * K + i % K) % 3)) : 1;
                reference[b][i] = factor * solutions[b].W[i];
            }
        }
        solve(schemes[s / 2], s % 2 ? given : equal);
        for (int b = 0; b < N_SB; b++) {
            float size = 0;
            for (int i = 0; i < SIZE; i++) {
                size = fmaxf(size, cabsf(reference[b][i]));
            }
            for (int i = 0; i < SIZE; i++) {
                assert_true(cabsf(solutions[b].W[i] - reference[b][i]) <= 1e-4f * size);
            }
            assert_true(size > 0);
        }
    }
    precoder_destroy(precoder);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&cases[b]);
    }
}

/* cb maxmin: W = sqrt(eta) H_hat in every subband, in lanes as in the first one. */
static void given_coefficients_are_used(void **state)
{
    (void)state;
    struct random random = {17};
    struct mimo_channel channels[N_SB];
    double eta[M * K];
    static float beta[M * K];
    for (int i = 0; i < M * K; i++) {
        eta[i] = 1e-6 * (1 + i % 7); /* far below the cap */
        beta[i] = 1e3f;
    }
    for (int b = 0; b < N_SB; b++) {
        case_create(&cases[b], &random, M, N, K, 20, 30, 0.05);
        solutions[b] = cases[b].solution;
        channels[b] = cases[0].channel;
        channels[b].H_hat = cases[b].channel.H_hat;
        channels[b].beta = beta;
        channels[b].eta = eta;
    }
    assert_int_equal(precoder_create(&precoder, &cases[0].shape), 0);
    precoder_execute_batch(precoder, MIMO_CB, MIMO_POWER_MAXMIN, N_SB, channels, solutions);
    for (int b = 0; b < N_SB; b++) {
        assert_int_equal(solutions[b].reason, MIMO_REASON_ASKED);
        for (int i = 0; i < SIZE; i++) {
            const float factor = sqrtf((float)eta[i / (N * K) * K + i % K]);
            assert_true(cabsf(solutions[b].W[i] - factor * channels[b].H_hat[i]) <= 1e-5f * cabsf(solutions[b].W[i]));
        }
    }
    precoder_destroy(precoder);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&cases[b]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(given_powers_are_used),
                                       cmocka_unit_test(given_coefficients_are_used)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
