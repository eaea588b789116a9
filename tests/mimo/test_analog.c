/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The analogue transmitter: phases of the estimates, all antennas of an AP with the same amplitude, one user. */
#include "mimo/analog.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { M = 3, N = 5, K = 4, SERVED = 2, DRAWS = 200 };

/* One draw's beams for one user: every antenna in phase at the user, all of the budget, nothing elsewhere. */
static void check_beams(const struct channel_case *c, const tutti_cf32 *W)
{
    for (int m = 0; m < M; m++) {
        double power = 0;
        const double budget = c->ap_active[m] ? (double)c->P[m] : 0;
        for (int a = 0; a < N; a++) {
            for (int k = 0; k < K; k++) {
                const size_t at = (size_t)((m * N + a) * K + k);
                const double complex w = W[at], heard = conj((double complex)c->H[at]) * w;
                power += creal(w) * creal(w) + cimag(w) * cimag(w);
                if (k != SERVED) {
                    assert_true(W[at] == 0);
                } else if (cabs((double complex)c->H[at]) > 0) {
                    assert_true(fabs(cabs(w) - sqrt(budget / N)) <= 1e-6 * sqrt(budget / N));
                    assert_true(creal(heard) >= 0 && fabs(cimag(heard)) <= 1e-6 * cabs(heard));
                } else { /* no phase to follow: the power is sent all the same */
                    assert_true(fabs(cabs(w) - sqrt(budget / N)) <= 1e-6 * sqrt(budget / N));
                }
            }
        }
        assert_true(power <= budget && power >= budget * (1 - 3e-6));
    }
}

static void phases_of_the_estimates_and_all_the_power(void **state)
{
    (void)state;
    struct random random = {51};
    for (int d = 0; d < DRAWS; d++) {
        struct channel_case c;
        case_create(&c, &random, M, N, K, 20, 10, 0.01);
        c.ap_active[1] = (uint8_t)(d % 2);
        c.P[0] = (float)(0.1 + random_uniform(&random));
        c.H[(0 * N + 3) * K + SERVED] = 0;
        c.H[(2 * N + 1) * K + SERVED] = CMPLXF(3e-39f, -4e-39f); /* below the smallest normal number */
        analog_beam(&c.shape, &c.channel, SERVED, c.solution.W);
        check_beams(&c, c.solution.W);
        case_destroy(&c);
    }
}

/* Who is not there is not served, though it has the lowest number. */
static void the_first_active_user_is_served(void **state)
{
    (void)state;
    struct random random = {52};
    struct channel_case c;
    precoder_t *precoder;
    case_create(&c, &random, M, N, K, 20, 10, 0.01);
    c.ue_active[0] = c.ue_active[1] = c.ue_active[3] = 0;
    assert_int_equal(precoder_create_for(&precoder, &c.shape, MIMO_ONLY(MIMO_ANALOG)), 0);
    assert_int_equal(precoder_execute(precoder, MIMO_ANALOG, MIMO_POWER_EQUAL, &c.channel, &c.solution), 0);
    check_beams(&c, c.solution.W);
    assert_true(c.solution.sinr[SERVED] > 0 && c.solution.sinr[0] == 0 && c.solution.sinr[3] == 0);
    precoder_destroy(precoder);
    case_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_of_the_estimates_and_all_the_power),
        cmocka_unit_test(the_first_active_user_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
