/* SPDX-License-Identifier: GPL-3.0-or-later */
/* power: rlspa_wc and rlspa_wiener of zf and rzf against the formulas in plain complex arithmetic: the beams are those
 * that `equal` has, their powers relate as the closed form says, the worst AP is at its budget. */
#include "reference.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { K_MOST = 8, W_MOST = 64 * K_MOST };

static int solve(struct channel_case *c, enum mimo_scheme scheme, enum mimo_power power)
{
    precoder_t *precoder;
    assert_int_equal(precoder_create(&precoder, &c->shape), 0);
    precoder_execute(precoder, scheme, power, &c->channel, &c->solution);
    precoder_destroy(precoder);
    return c->solution.reason;
}

static double norm_at(const struct channel_case *c, const tutti_cf32 *W, int k, int ap)
{
    const int n = c->shape.n_ant, n_ue = c->shape.n_ue;
    double sum = 0;
    for (int r = ap * n; r < (ap + 1) * n; r++) {
        sum += pow(cabs((double complex)W[r * n_ue + k]), 2);
    }
    return sum;
}

static double norm(const struct channel_case *c, const tutti_cf32 *W, int k)
{
    double sum = 0;
    for (int m = 0; m < c->shape.n_ap; m++) {
        sum += norm_at(c, W, k, m);
    }
    return sqrt(sum);
}

/* sum over active users of the error variance at an AP. */
static double errors_at(const struct channel_case *c, int m)
{
    double sum = 0;
    for (int k = 0; k < c->shape.n_ue; k++) {
        sum += c->ue_active[k] ? (double)c->E[m * c->shape.n_ue + k] : 0;
    }
    return sum;
}

/* Amplitude of user k by docs/power.md, up to a factor common to all. */
static double shape(const struct channel_case *c, const tutti_cf32 *W, bool wiener, int k)
{
    const double length = norm(c, W, k);
    double column = 0, ridge = 0, total = 0;
    int n = 0;
    for (int j = 0; j < c->shape.n_ue; j++) {
        column += c->ue_active[j] ? pow(cabs(plain_response(c, W, j, k)) / length, 2) : 0;
        n += c->ue_active[j];
    }
    for (int m = 0; m < c->shape.n_ap; m++) {
        if (c->ap_active[m]) {
            total += (double)c->P[m];
            ridge += errors_at(c, m) * (wiener ? norm_at(c, W, k, m) / length / length : c->shape.n_ant);
        }
    }
    return creal(plain_response(c, W, k, k)) / length / (column + ridge + (wiener ? n / total : 0));
}

static void check(struct channel_case *c, enum mimo_scheme scheme, bool wiener)
{
    static tutti_cf32 equal[W_MOST];
    const size_t size = (size_t)(c->shape.n_ap * c->shape.n_ant) * (size_t)c->shape.n_ue;
    double factor = 0, use = 0;
    const int reason = solve(c, scheme, MIMO_POWER_EQUAL);
    assert_true(size <= W_MOST);
    memcpy(equal, c->solution.W, size * sizeof *equal);
    assert_int_equal(solve(c, scheme, wiener ? MIMO_POWER_RLSPA_WIENER : MIMO_POWER_RLSPA_WC), reason);
    const tutti_cf32 *const W = c->solution.W;
    for (int k = 0; k < c->shape.n_ue; k++) {
        double complex along = 0;
        const double length = norm(c, W, k);
        assert_int_equal(length > 0, c->ue_active[k]);
        if (!c->ue_active[k]) {
            continue;
        }
        for (size_t r = 0; r < size / (size_t)c->shape.n_ue; r++) {
            const size_t i = r * (size_t)c->shape.n_ue + (size_t)k;
            along += conj((double complex)equal[i]) * (double complex)W[i];
        }
        assert_true(fabs(creal(along) / length / norm(c, equal, k) - 1) < 1e-5);
        const double ratio = length / shape(c, W, wiener, k);
        factor = factor > 0 ? factor : ratio;
        assert_true(fabs(ratio / factor - 1) < 1e-4);
    }
    for (int m = 0; m < c->shape.n_ap; m++) {
        use = fmax(use, plain_power(c, W, m) / (double)c->P[m]);
    }
    assert_true(fabs(use - 1) < 1e-5);
}

/* The shape told is that of the powers; one that is handed in is the shape of what comes out, the budgets held. */
static void check_shape(struct channel_case *c, enum mimo_scheme scheme, enum mimo_power power)
{
    double told[TUTTI_MAX_UE], eta[W_MOST], sum = 0, given = 0, use = 0;
    const int n_ue = c->shape.n_ue;
    c->solution.shape = told;
    solve(c, scheme, power);
    for (int k = 0; k < n_ue; k++) {
        sum += pow(norm(c, c->solution.W, k), 2);
    }
    for (int k = 0; k < n_ue; k++) {
        assert_true(fabs(told[k] - pow(norm(c, c->solution.W, k), 2) / sum) < 1e-5);
    }
    for (int i = 0; i < c->shape.n_ap * n_ue; i++) {
        eta[i] = 1 + i % n_ue;
    }
    c->channel.eta = eta;
    solve(c, scheme, power);
    sum = 0;
    for (int k = 0; k < n_ue; k++) {
        sum += pow(norm(c, c->solution.W, k), 2);
        given += c->ue_active[k] ? eta[k] : 0;
    }
    for (int k = 0; k < n_ue; k++) {
        const double part = c->ue_active[k] ? eta[k] / given : 0;
        assert_true(fabs(pow(norm(c, c->solution.W, k), 2) / sum - part) < 1e-5);
    }
    for (int m = 0; m < c->shape.n_ap; m++) {
        use = fmax(use, plain_power(c, c->solution.W, m) / (double)c->P[m]);
    }
    assert_true(fabs(use - 1) < 1e-5);
}

static void powers_follow_the_closed_form(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 4, 1}, {4, 2, 3}, {8, 1, 4}, {8, 4, 8}, {3, 4, 2}};
    struct random random = {3};
    for (int trial = 0; trial < 40; trial++) {
        const int *const s = shapes[trial % 5];
        struct channel_case c;
        case_create(&c, &random, s[0], s[1], s[2], trial % 3 ? 20 : 5, 30, trial % 2 ? 0.1 : 0.01);
        if (trial >= 20 && s[0] > 1 && s[2] > 1) { /* somebody is not there */
            c.ap_active[1] = 0;
            c.ue_active[0] = 0;
        }
        const enum mimo_scheme scheme = trial % 4 < 2 ? MIMO_ZF : MIMO_RZF;
        check(&c, scheme, trial % 2);
        check_shape(&c, scheme, trial % 2 ? MIMO_POWER_RLSPA_WIENER : MIMO_POWER_RLSPA_WC);
        case_destroy(&c);
    }
}

/* What an AP can build by itself has no such powers, and a rung below that cannot have them gets equal ones. */
static void only_central_zero_forcing_has_them(void **state)
{
    (void)state;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        assert_int_equal(mimo_scheme_allows(s, MIMO_POWER_RLSPA_WC), s == MIMO_ZF || s == MIMO_RZF);
        assert_int_equal(mimo_scheme_allows(s, MIMO_POWER_RLSPA_WIENER), s == MIMO_ZF || s == MIMO_RZF);
    }
    assert_int_equal(mimo_power_on_rung(MIMO_ZF, MIMO_PPZF, MIMO_POWER_RLSPA_WC), MIMO_POWER_EQUAL_SHARES);
    assert_int_equal(mimo_power_on_rung(MIMO_ZF, MIMO_ZF, MIMO_POWER_RLSPA_WC), MIMO_POWER_RLSPA_WC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_follow_the_closed_form),
        cmocka_unit_test(only_central_zero_forcing_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
