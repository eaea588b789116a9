/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ordering of [Zhou 2020] over random drops: net throughput on the true channel, precoders
 * from estimates. */
#include "base/error.h"
#include "reference.h"
#include "sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 100, K = 40, DROPS = SANITIZED ? 10 : 200, TAU_C = 400 };

static tutti_cf32 truth[M * K];

/* 20 MHz, half of the time downlink, Mbit/s. */
static double net_throughput(int tau, double sinr)
{
    return 20 * (1 - (double)tau / TAU_C) / 2 * log2(1 + sinr);
}

/* Throughputs of all users, from the channel itself: no error term, the error is in the channel. */
static void rates(const struct channel_case *c, int tau, double *out)
{
    for (int k = 0; k < K; k++) {
        double complex heard[K] = {0};
        for (int m = 0; m < M; m++) {
            for (int j = 0; j < K; j++) {
                heard[j] += conj((double complex)truth[m * K + k]) * (double complex)c->solution.W[m * K + j];
            }
        }
        double others = 1;
        for (int j = 0; j < K; j++) {
            if (j != k) {
                others += creal(heard[j] * conj(heard[j]));
            }
        }
        out[k] = net_throughput(tau, creal(heard[k] * conj(heard[k])) / others);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(int tau, double (*sorted)[DROPS * K])
{
    static const enum mimo_scheme schemes[3] = {MIMO_OB, MIMO_ZF, MIMO_CB};
    struct random random = {(uint64_t)tau};
    precoder_t *precoder = NULL;
    int n_handed_over = 0;
    for (int drop = 0; drop < DROPS; drop++) {
        struct channel_case c;
        case_create_cell_free(&c, &random, M, 1, K, tau, truth);
        if (!precoder) {
            assert_int_equal(precoder_create(&precoder, &c.shape), 0);
        }
        for (int s = 0; s < 3; s++) {
            /* With pilot reuse the estimates of two users are parallel at every AP, though hardly ever over all APs:
             * there zero-forcing hands over to its regularised form, and only there. */
            const enum mimo_power power = schemes[s] == MIMO_CB ? MIMO_POWER_MAXMIN_USER : MIMO_POWER_MAXMIN;
            const int status = precoder_execute(precoder, schemes[s], power, &c.channel, &c.solution);
            const bool handed_over = schemes[s] == MIMO_ZF && c.solution.reason == MIMO_REASON_NEAR_SINGULAR;
            assert_int_equal(status, handed_over ? TUTTI_ENUMERIC : 0);
            n_handed_over += handed_over;
            rates(&c, tau, sorted[s] + drop * K);
        }
        case_destroy(&c);
    }
    precoder_destroy(precoder);
    assert_true(n_handed_over <= DROPS / 20);
    for (int s = 0; s < 3; s++) {
        qsort(sorted[s], DROPS * K, sizeof(double), ascending);
    }
}

static void the_optimum_leads_at_every_percentile(void **state)
{
    (void)state;
    static double orthogonal[3][DROPS * K], reused[3][DROPS * K];
    run(40, orthogonal);
    run(20, reused);
    const int five = DROPS * K / 20;
    for (int i = DROPS * K / 100; i < DROPS * K; i += DROPS * K / 100) {
        assert_true(orthogonal[0][i] >= orthogonal[1][i]);
    }
    print_message(
        "5 %% net throughput, Mbit/s: orthogonal pilots OB %.1f ZF %.1f CB %.1f; reused OB %.1f ZF %.1f CB %.1f\n",
        orthogonal[0][five], orthogonal[1][five], orthogonal[2][five], reused[0][five], reused[1][five],
        reused[2][five]);
    const double gain = orthogonal[0][five] / orthogonal[1][five];
    assert_true(gain > 1.08 && gain < 1.7);
    assert_true(orthogonal[1][five] > orthogonal[2][five] && reused[1][five] > reused[2][five] &&
                reused[0][five] > reused[1][five]);
    for (int s = 0; s < 2; s++) { /* CB loses least under contamination */
        assert_true(reused[s][five] / orthogonal[s][five] < reused[2][five] / orthogonal[2][five]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_optimum_leads_at_every_percentile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
