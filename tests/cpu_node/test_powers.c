/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers of the slow clock: max-min shares balance the users' closed-form SINRs within the budgets and are made again
 * when they should be; averaged shapes are the mean they are said to be. */
#include "control/maxmin_cb.h"
#include "cpu_node/powers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { M = 4, N = 2, K = 5, BLOCKS = 60 };

static float beta[M * K], error_variance[M * K];
static uint8_t present[M], served[K];

static void make_figures(void)
{
    for (int i = 0; i < M * K; i++) {
        beta[i] = (float)(1000.0 / (1 + 7 * ((i * 11) % 13))); /* 20 dB apart */
        error_variance[i] = beta[i] / (1 + beta[i]);
    }
    memset(present, 1, sizeof present);
    memset(served, 1, sizeof served);
}

static bool hear(powers_t *powers, uint64_t block, const double *shape, const double **power)
{
    const struct powers_input in = {.block = block,
                                    .beta = beta,
                                    .error_variance = error_variance,
                                    .ap_present = present,
                                    .user_served = served,
                                    .shape = shape};
    return powers_block(powers, &in, power);
}

/* SINRs of the users served by the closed form, least and largest; budgets and those left out on the way. */
static void examine(const double *power, double range[2])
{
    double b[M * K], gamma[M * K], eta[M * K], P[M], sinr[K], most = 0;
    int n = 0, user[K];
    for (int k = 0; k < K; k++) {
        user[n] = k;
        n += served[k];
    }
    for (int m = 0; m < M; m++) {
        double sum = 0;
        P[m] = present[m];
        for (int k = 0; k < K; k++) {
            sum += power[m * K + k];
            assert_true(power[m * K + k] >= 0 && (power[m * K + k] == 0 || (present[m] && served[k])));
        }
        assert_true(sum <= 1 + 1e-9);
        most = fmax(most, sum);
        for (int i = 0; i < n; i++) {
            const int from = m * K + user[i];
            b[m * n + i] = present[m] ? (double)beta[from] : 0;
            gamma[m * n + i] = present[m] ? (double)beta[from] - (double)error_variance[from] : 0;
            eta[m * n + i] = present[m] ? power[from] / (N * gamma[m * n + i]) : 0;
        }
    }
    assert_true(most > 1 - 1e-6); /* else all could have more */
    const struct maxmin_cb_network network = {.n_ap = M, .n_ant = N, .n_ue = n, .beta = b, .gamma = gamma, .P = P};
    maxmin_cb_sinr(&network, eta, sinr);
    range[0] = range[1] = sinr[0];
    for (int i = 1; i < n; i++) {
        range[0] = fmin(range[0], sinr[i]);
        range[1] = fmax(range[1], sinr[i]);
    }
}

static void least_user_is_as_good_as_can_be(void **state)
{
    (void)state;
    powers_t *powers;
    const double *power;
    double equal[M * K], range[2], before[2];
    make_figures();
    const struct powers_settings settings = {.n_ap = M, .n_ant = N, .n_ue = K};
    assert_int_equal(powers_create(&powers, &settings), 0);
    for (int i = 0; i < 4; i++) { /* all; without an AP; without two users; nobody changes what is there */
        present[1] = i != 1;
        served[0] = served[3] = i < 2;
        for (int j = 0; j < M * K; j++) {
            equal[j] = present[j / K] && served[j % K] ? 1.0 / (i < 2 ? K : K - 2) : 0;
        }
        examine(equal, before);
        assert_true(hear(powers, (uint64_t)i, NULL, &power));
        examine(power, range);
        assert_true(range[1] < 1.03 * range[0]); /* balanced, as far as a solve goes */
        assert_true(range[0] > 1.2 * before[0]);
    }
    memset(served, 0, sizeof served);
    assert_false(hear(powers, 4, NULL, &power));
    powers_destroy(powers);
}

static void solved_again_when_due(void **state)
{
    (void)state;
    powers_t *powers;
    const double *power;
    make_figures();
    const struct powers_settings settings = {.n_ap = M, .n_ant = N, .n_ue = K};
    assert_int_equal(powers_create(&powers, &settings), 0);
    for (int b = 0; b < BLOCKS; b++) {
        present[2] = b != 41; /* away for a block: solved without it, and with it again, which then has to learn */
        const bool due = b <= POWERS_LEARN || b >= 41 || (b - POWERS_LEARN) % POWERS_EVERY == 0;
        const bool late = b > 42 + POWERS_LEARN;
        assert_int_equal(hear(powers, (uint64_t)b, NULL, &power), due && !late);
    }
    powers_destroy(powers);
}

static void shapes_are_averaged(void **state)
{
    (void)state;
    enum { WINDOW = 4 };
    powers_t *powers;
    const double *power;
    const double shape[2][K] = {{0.1, 0.2, 0.3, 0.2, 0.2}, {0.4, 0.1, 0.1, 0.2, 0.2}}, none[K] = {0};
    double expected[K] = {0};
    make_figures();
    const struct powers_settings settings = {.n_ap = M, .n_ant = N, .n_ue = K, .average_blocks = WINDOW};
    assert_int_equal(powers_create(&powers, &settings), 0);
    assert_false(hear(powers, 0, none, &power));
    for (int b = 0; b < 12; b++) {
        const int of = b % 3 == 0, n = b < WINDOW ? b + 1 : WINDOW;
        for (int k = 0; k < K; k++) {
            expected[k] = (1 - 1.0 / n) * expected[k] + shape[of][k] / n;
        }
        assert_true(hear(powers, (uint64_t)b + 1, shape[of], &power));
        for (int i = 0; i < M * K; i++) {
            assert_true(fabs(power[i] - expected[i % K]) < 1e-12);
        }
    }
    served[0] = 0; /* other users: nothing of before is left */
    assert_true(hear(powers, 13, shape[1], &power));
    for (int k = 0; k < K; k++) {
        assert_true(fabs(power[k] - shape[1][k]) < 1e-12);
    }
    powers_destroy(powers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(least_user_is_as_good_as_can_be),
                                       cmocka_unit_test(solved_again_when_due), cmocka_unit_test(shapes_are_averaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
