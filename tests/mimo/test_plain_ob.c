/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plain max-min reference against theory, and ob_solve against the reference: neither's precoder may exceed the
 * other's upper bound. */
#include "../bench/plain_ob.h"
#include "mimo/ob.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The float channel and W round at 6e-8; a null is a difference of terms that large. */
#define ROUNDING 1e-5

static struct plain_ob_result plain(struct channel_case *c, double gap, bool leave_out_own)
{
    const struct plain_ob_settings settings = {
        .gap = gap, .max_iterations = 20000, .leave_out_own = leave_out_own, .exponent = 0.75};
    struct plain_ob_result result;
    assert_int_equal(plain_ob_solve(c, &settings, &result), 0);
    assert_true(result.converged);
    assert_true(result.lower <= result.upper && result.lower >= result.upper * (1 - gap));
    assert_true(plain_excess(c, c->solution.W) <= 1e-6);
    assert_true(fabs(plain_min_sinr(c, c->solution.W) / result.lower - 1) <= 1e-4);
    return result;
}

/* One user, no errors: every AP sends its whole budget along its channel. */
static void one_user_has_a_closed_form(void **state)
{
    (void)state;
    struct random random = {31};
    struct channel_case c;
    double amplitude = 0;
    case_create(&c, &random, 6, 2, 1, 10, 10, 0);
    for (int m = 0; m < 6; m++) {
        c.P[m] = (float)(0.5 + m);
        amplitude +=
            sqrt((double)c.P[m]) * hypot(cabs((double complex)c.H[2 * m]), cabs((double complex)c.H[2 * m + 1]));
    }
    for (int leave_out = 0; leave_out < 2; leave_out++) {
        const struct plain_ob_result result = plain(&c, 1e-4, leave_out);
        assert_true(result.lower <= amplitude * amplitude * (1 + 1e-9));
        assert_true(result.upper >= amplitude * amplitude * (1 - 1e-9));
    }
    case_destroy(&c);
}

static void its_bounds_bracket_the_solver(void **state)
{
    (void)state;
    static tutti_cf32 truth[16 * 4 * 8];
    static const int shapes[][3] = {{4, 1, 2}, {8, 2, 4}, {16, 1, 4}, {5, 3, 7}, {4, 4, 8}, {8, 1, 8}, {2, 1, 3}};
    struct random random = {32};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int kind = 0; kind < 3; kind++) {
            const int M = shapes[i][0], N = shapes[i][1], K = shapes[i][2];
            struct channel_case c;
            if (kind == 0) {
                case_create_cell_free(&c, &random, M, N, K, K, truth);
            } else {
                case_create(&c, &random, M, N, K, 15, 20, kind == 1 ? 0.1 : 0);
            }
            for (int m = 0; m < M && kind == 1; m++) {
                c.P[m] = (float)(0.25 + random_uniform(&random));
            }
            const struct plain_ob_result reference = plain(&c, 1e-3, i % 2);
            struct ob_settings settings;
            struct ob_result result;
            ob_t *ob;
            ob_settings_default(&settings);
            settings.tolerance = 1e-4;
            assert_int_equal(ob_create(&ob, &c.shape), 0);
            ob_solve(ob, &c.channel, &settings, &c.solution, &result);
            ob_destroy(ob);
            const double least = plain_min_sinr(&c, c.solution.W);
            if (least > reference.upper * (1 + ROUNDING) || result.bound < reference.lower * (1 - ROUNDING) ||
                least < reference.lower * (1 - 2e-4)) {
                fail_msg("%d x %d antennas, %d users, kind %d: %g to %g, reference %g to %g", M, N, K, kind, least,
                         result.bound, reference.lower, reference.upper);
            }
            case_destroy(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_user_has_a_closed_form),
        cmocka_unit_test(its_bounds_bracket_the_solver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
