/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min power of conjugate beams: the powers returned reach the bound returned, no other powers do, and nothing that
 * a network can be makes it say something that is not finite and feasible. */
#include "base/error.h"
#include "control/maxmin_cb.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M_MAX = 100, K_MAX = 40 };

struct drop {
    struct maxmin_cb_network network;
    double beta[M_MAX * K_MAX], gamma[M_MAX * K_MAX], c[M_MAX * K_MAX], eta[M_MAX * K_MAX], sinr[K_MAX];
    double P[M_MAX], power[K_MAX];
    int pilot[K_MAX];
    uint64_t state;
};

static double uniform(struct drop *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

/* Gains log-uniform over spread_db below top_db; user k with pilot k mod tau. */
static void make(struct drop *d, uint64_t seed, int m, int n, int k, int tau, double top_db, double spread_db)
{
    d->state = seed;
    for (int i = 0; i < m * k; i++) {
        d->beta[i] = pow(10, (top_db - spread_db * uniform(d)) / 10);
    }
    for (int i = 0; i < m; i++) {
        d->P[i] = 0.5 + uniform(d);
    }
    for (int i = 0; i < k; i++) {
        d->pilot[i] = i % tau;
        d->power[i] = 0.3 + uniform(d);
    }
    d->network = (struct maxmin_cb_network){m, n, k, d->beta, d->gamma, d->P, d->pilot, d->power};
    maxmin_cb_statistics(&d->network, tau, d->c, d->gamma);
}

static double least(struct drop *d)
{
    double value = INFINITY;
    maxmin_cb_sinr(&d->network, d->eta, d->sinr);
    for (int k = 0; k < d->network.n_ue; k++) {
        value = fmin(value, d->sinr[k]);
    }
    return value;
}

/* Largest power over budget; an AP without budget must be silent. */
static double use(const struct drop *d)
{
    double most = 0;
    for (int m = 0; m < d->network.n_ap; m++) {
        double power = 0;
        for (int k = 0; k < d->network.n_ue; k++) {
            const int i = m * d->network.n_ue + k;
            assert_true(isfinite(d->eta[i]) && d->eta[i] >= 0);
            power += d->network.n_ant * d->eta[i] * d->gamma[i];
        }
        most = fmax(most, d->P[m] > 0 ? power / d->P[m] : power > 0 ? INFINITY : 0);
    }
    return most;
}

static int solve(struct drop *d, double tolerance, struct maxmin_cb_result *result)
{
    maxmin_cb_t *maxmin;
    assert_int_equal(maxmin_cb_create(&maxmin, d->network.n_ap, d->network.n_ant, d->network.n_ue), 0);
    memset(d->eta, 0xff, sizeof d->eta);
    const int status = maxmin_cb_execute(maxmin, &d->network, tolerance, 2000, d->eta, result);
    maxmin_cb_destroy(maxmin);
    assert_true(use(d) <= 1 + 1e-9);
    return status;
}

static void the_bound_is_reached_and_never_beaten(void **state)
{
    (void)state;
    static const int shapes[][4] = {{1, 1, 1, 1},  {1, 4, 3, 3},  {8, 2, 3, 3},   {10, 1, 6, 3},
                                    {32, 1, 8, 8}, {32, 2, 8, 4}, {20, 4, 12, 5}, {100, 1, 40, 20}};
    static struct drop d;
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        struct maxmin_cb_result r;
        const int *const s = shapes[i / 2];
        make(&d, 10 + i, s[0], s[1], s[2], s[3], i % 2 ? 30 : 10, i % 2 ? 60 : 30);
        assert_int_equal(solve(&d, 1e-3, &r), 0);
        const double reached = least(&d);
        assert_true(fabs(reached / r.lower - 1) < 1e-9 && r.upper >= reached * (1 - 1e-9));
        assert_true(r.upper - reached <= 1.0001e-3 * r.upper && r.n_unheard == 0 && r.iterations >= 1);
        for (int trial = 0; trial < 50; trial++) { /* other powers, scaled into the budgets */
            static double kept[M_MAX * K_MAX];
            memcpy(kept, d.eta, sizeof kept);
            for (int j = 0; j < s[0] * s[2]; j++) {
                d.eta[j] *= exp((trial % 2 ? 0.5 : 0.02) * (2 * uniform(&d) - 1));
            }
            const double most = use(&d);
            for (int j = 0; j < s[0] * s[2]; j++) {
                d.eta[j] /= most;
            }
            assert_true(least(&d) <= r.upper * (1 + 1e-9));
            memcpy(d.eta, kept, sizeof kept);
        }
    }
}

/* Twice a user's power at every AP and the same everywhere: one power per user cannot do better than one per AP and
 * user. */
static void it_is_at_least_what_equal_shares_give(void **state)
{
    (void)state;
    static struct drop d;
    int most = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct maxmin_cb_result r;
        make(&d, 100 + seed, 12, 2, 5, seed % 2 ? 5 : 3, 20, 40);
        for (int i = 0; i < 60; i++) {
            d.eta[i] = d.P[i / 5] / (5 * 2 * d.gamma[i]);
        }
        const double equal = least(&d);
        assert_int_equal(solve(&d, 1e-3, &r), 0);
        most = r.iterations > most ? r.iterations : most;
        assert_true(least(&d) > equal);
    }
    assert_true(most <= 60); /* iterations do not depend on the machine; without acceleration there are hundreds */
}

static void what_can_be_wrong_is_survived(void **state)
{
    (void)state;
    static struct drop d;
    struct maxmin_cb_result r;
    make(&d, 1, 6, 2, 4, 4, 20, 20); /* a user whom nobody hears: left out, said, the others as if alone */
    for (int m = 0; m < 6; m++) {
        d.beta[m * 4 + 2] = d.gamma[m * 4 + 2] = 0;
    }
    assert_int_equal(solve(&d, 1e-3, &r), TUTTI_ENUMERIC);
    least(&d);
    assert_true(r.n_unheard == 1 && d.sinr[2] == 0 && d.sinr[0] >= r.lower * (1 - 1e-9) && d.sinr[3] > 0);
    d.P[1] = d.P[4] = 0; /* lost APs */
    assert_int_equal(solve(&d, 1e-3, &r), TUTTI_ENUMERIC);
    assert_true(r.lower > 0);
    memset(d.P, 0, sizeof d.P); /* all lost */
    assert_int_equal(solve(&d, 1e-3, &r), TUTTI_ENUMERIC);
    assert_true(r.lower == 0 && r.upper == 0 && r.n_unheard == 4);
    make(&d, 2, 5, 1, 2, 1, 20, 0); /* one pilot, equal gains: both below SINR 1 */
    d.power[0] = d.power[1] = 1;
    maxmin_cb_statistics(&d.network, 1, d.c, d.gamma);
    assert_int_equal(solve(&d, 1e-3, &r), 0);
    assert_true(r.upper < 1 && r.lower > 0.3);
    for (int i = 0; i < 60; i++) { /* scales */
        make(&d, 200 + (uint64_t)i, 6, 2, 4, i % 2 ? 4 : 2, -200 + 10 * i, 60);
        solve(&d, 1e-3, &r);
        assert_true(isfinite(r.lower) && r.lower >= 0 && r.upper >= r.lower * (1 - 1e-9));
    }
}

/* A single user at high SNR does not want full power: its own gain's uncertainty is the interference. */
static void full_power_is_not_optimal_for_one_user(void **state)
{
    (void)state;
    static struct drop d;
    struct maxmin_cb_result r;
    make(&d, 3, 4, 1, 1, 1, 50, 40);
    assert_int_equal(solve(&d, 1e-4, &r), 0);
    const double best = least(&d);
    for (int m = 0; m < 4; m++) {
        d.eta[m] = d.P[m] / d.gamma[m];
    }
    assert_true(least(&d) < best * 0.99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_reached_and_never_beaten),
        cmocka_unit_test(it_is_at_least_what_equal_shares_give),
        cmocka_unit_test(what_can_be_wrong_is_survived),
        cmocka_unit_test(full_power_is_not_optimal_for_one_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
