/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weighted-gap problem: its value and slope against a plain form, optima that no other powers beat, powers within
 * the budgets whatever the network is, successive approximation that never rises, and no allocation after create. */
#include "base/error.h"
#include "control/gap_core.h"
#include "tools/study/ppzf_drop.h"
#include "wrapped_malloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct network {
    struct ppzf_drop *drop;
    struct ppzf_tables *tables;
    struct gap_model model;
    gap_t *gap;
    double *eta, *eta_an;
};

static const struct gap_targets TARGETS = {.r_des = 5, .s_des = 5, .w_sec = 0.5, .w_qos = 0.5};

static void open_network(struct network *n, uint64_t drop, int n_ap, int n_ant, int n_ue, enum mimo_scheme scheme,
                         const struct gap_targets *targets)
{
    struct ppzf_scenario s = PPZF_SCENARIO;
    s.n_ap = n_ap;
    s.n_ant = n_ant;
    s.n_ue = s.tau = n_ue;
    assert_int_equal(ppzf_drop_create(&n->drop, &s), 0);
    ppzf_drop_fill(n->drop, 9, drop);
    assert_int_equal(ppzf_drop_tables(n->drop, scheme, &n->tables), 0);
    n->model = ppzf_gap_model(n->tables, n->drop->P, ppzf_drop_omega(n->drop));
    assert_int_equal(gap_create(&n->gap, n_ap, n_ue), 0);
    assert_int_equal(gap_set(n->gap, &n->model, targets), 0);
    n->eta = calloc((size_t)(n_ap * n_ue), sizeof(double));
    n->eta_an = calloc((size_t)n_ap, sizeof(double));
    assert_true(n->eta && n->eta_an);
    gap_equal_power(n->gap, false, n->eta, n->eta_an);
}

static void close_network(struct network *n)
{
    gap_destroy(n->gap);
    ppzf_tables_destroy(n->tables);
    ppzf_drop_destroy(n->drop);
    free(n->eta);
    free(n->eta_an);
}

static void assert_feasible(const struct network *n)
{
    for (int m = 0; m < n->model.n_ap; m++) {
        double sum = n->eta_an[m];
        assert_true(n->eta_an[m] >= 0);
        for (int k = 0; k < n->model.n_ue; k++) {
            const double eta = n->eta[m * n->model.n_ue + k];
            assert_true(isfinite(eta) && eta >= 0);
            sum += eta;
        }
        assert_true(sum <= n->drop->P[m] * (1 + 1e-9));
    }
}

/* Psi from the SINRs of mimo/ppzf.c, which know nothing of budgets of 1 or of layouts. */
static double plain_psi(const struct network *n, const struct gap_targets *t)
{
    const int K = n->model.n_ue;
    double sinr[16], psi = 0;
    ppzf_sinr(n->tables, n->eta, n->eta_an, sinr);
    for (int k = 0; k < K; k++) {
        const double h = fmax(1 - n->model.omega * log2(1 + sinr[k]) / t->r_des, 0);
        psi += t->w_qos / K * h * h;
    }
    const double rate_eve = n->model.omega * log2(1 + ppzf_sinr_eve(n->tables, n->eta, n->eta_an));
    const double h = fmax(1 - (n->model.omega * log2(1 + sinr[0]) - rate_eve) / t->s_des, 0);
    return psi + t->w_sec * h * h;
}

static void disturb(struct network *n, uint64_t seed)
{
    srandom((unsigned)seed);
    for (int m = 0; m < n->model.n_ap; m++) {
        double sum = 0;
        for (int k = 0; k <= n->model.n_ue; k++) {
            double *const p = k < n->model.n_ue ? &n->eta[m * n->model.n_ue + k] : &n->eta_an[m];
            *p = (double)random() / RAND_MAX;
            sum += *p;
        }
        for (int k = 0; k <= n->model.n_ue; k++) {
            double *const p = k < n->model.n_ue ? &n->eta[m * n->model.n_ue + k] : &n->eta_an[m];
            *p *= n->drop->P[m] / sum;
        }
    }
}

static void metrics_are_those_of_the_closed_forms(void **state)
{
    (void)state;
    static const enum mimo_scheme schemes[] = {MIMO_PPZF, MIMO_PZF, MIMO_CB};
    for (int i = 0; i < 9; i++) {
        struct network n;
        struct gap_metrics found;
        open_network(&n, (uint64_t)i, 5 + i, 6, 4, schemes[i % 3], &TARGETS);
        disturb(&n, (uint64_t)i);
        gap_metrics(n.gap, n.eta, n.eta_an, NULL, &found);
        assert_true(fabs(found.psi - plain_psi(&n, &TARGETS)) < 1e-12);
        close_network(&n);
    }
}

/* Differences of the value against the gradient, of both instruction sets, of the problem and of a subproblem. */
static void slopes_are_those_of_the_value(void **state)
{
    (void)state;
    const struct gap_targets demanding = {.r_min = 4, .r_des = 5, .s_des = 5, .w_sec = 0.7, .w_qos = 0.3};
    const struct gap_ops *const variants[] = {&gap_ops_portable, gap_ops_get()};
    for (int i = 0; i < 8; i++) {
        struct network n;
        const struct gap_ops *const ops = variants[i % 2];
        open_network(&n, (uint64_t)i, 6, 6, 4, i % 4 < 2 ? MIMO_PPZF : MIMO_PZF, &demanding);
        struct gap *const g = n.gap;
        disturb(&n, 77);
        gap_to_point(g, n.eta, n.eta_an, g->q);
        gap_value(g, ops, g->q);
        gap_linearise(g);
        disturb(&n, (uint64_t)i);
        gap_to_point(g, n.eta, n.eta_an, g->trial);
        for (size_t j = 0; j < g->n; j++) { /* not so far that the subproblem does not exist */
            g->q[j] += 0.2 * (g->trial[j] - g->q[j]);
        }
        g->smooth = 0.1;
        g->convex = i >= 4;
        assert_true(isfinite(gap_value(g, ops, g->q)));
        ops->backward(g, g->q, g->gradient);
        for (int k = 0; k <= 4; k++) {
            for (int m = 0; m < 6; m++) {
                const size_t j = (size_t)k * g->stride + (size_t)m;
                const double h = 1e-6, q = g->q[j];
                g->q[j] = q + h;
                const double above = gap_value(g, ops, g->q);
                g->q[j] = q - h;
                const double below = gap_value(g, ops, g->q);
                g->q[j] = q;
                assert_true(fabs((above - below) / (2 * h) - g->gradient[j]) < 1e-6 * (1 + fabs(g->gradient[j])));
            }
        }
        close_network(&n);
    }
}

/* The interior-point method's end: neither the other method, which shares no line with it but the value, nor random
 * powers nearby find anything better. */
static void nothing_near_the_optimum_is_better(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct network n;
        struct gap_result newton, gradient;
        struct gap_options options = GAP_OPTIONS_DEFAULT;
        open_network(&n, (uint64_t)(20 + i), 8 + 4 * i, 6, 2 + i, i % 3 == 2 ? MIMO_PZF : MIMO_PPZF, &TARGETS);
        gap_solve(n.gap, &options, n.eta, n.eta_an, &newton);
        assert_feasible(&n);
        assert_true(newton.end.merit < newton.start.merit);
        options.method = GAP_GRADIENT;
        options.max_iterations = 2000;
        gap_solve(n.gap, &options, n.eta, n.eta_an, &gradient);
        assert_true(gradient.end.merit <= newton.end.merit);
        assert_true(newton.end.merit <= gradient.end.merit + 1e-4);
        close_network(&n);
    }
}

static void successive_approximation_never_rises(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct network n;
        struct gap_result step, whole;
        struct gap_options options = GAP_OPTIONS_DEFAULT;
        options.noise = i % 2 ? GAP_NOISE_FREE : GAP_NOISE_AUTO;
        open_network(&n, (uint64_t)(40 + i), 12, 6, 4, MIMO_PPZF, &TARGETS);
        double before = INFINITY, first = 0;
        for (int j = 0; j < 12; j++) {
            double subproblem;
            gap_sca_step(n.gap, &options, n.eta, n.eta_an, &step, &subproblem);
            assert_feasible(&n);
            assert_true(step.start.merit <= before + 1e-12 && step.end.merit <= step.start.merit);
            assert_true(step.end.merit <= subproblem + 1e-9); /* the bounds are bounds */
            first = j == 0 ? step.end.merit : first;
            before = step.end.merit;
        }
        assert_true(step.end.merit < first);
        gap_equal_power(n.gap, false, n.eta, n.eta_an);
        gap_solve(n.gap, &options, n.eta, n.eta_an, &whole);
        assert_true(whole.end.merit <= step.end.merit + 1e-3);
        close_network(&n);
    }
}

/* Theorem of section 9.5: noise helps one user alone, not two or more. */
static void noise_helps_a_single_user_only(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct network n;
        struct gap_result with, without;
        struct gap_options options = GAP_OPTIONS_DEFAULT;
        const int n_ue = i < 3 ? 1 : 4;
        open_network(&n, (uint64_t)(60 + i), 16, 8, n_ue, MIMO_PPZF, &TARGETS);
        options.noise = GAP_NOISE_NONE;
        gap_solve(n.gap, &options, n.eta, n.eta_an, &without);
        for (int m = 0; m < 16; m++) {
            assert_true(n.eta_an[m] == 0);
        }
        gap_equal_power(n.gap, false, n.eta, n.eta_an);
        options.noise = GAP_NOISE_FREE;
        gap_solve(n.gap, &options, n.eta, n.eta_an, &with);
        assert_feasible(&n);
        if (n_ue == 1 && without.end.merit > 0.01) {
            assert_true(with.end.merit < without.end.merit - 1e-4);
        } else {
            assert_true(fabs(with.end.merit - without.end.merit) < 1e-3);
        }
        close_network(&n);
    }
}

/* A least rate that can be had is had; one that cannot costs, and the solver says so instead of failing. */
static void the_least_rate_is_elastic(void **state)
{
    (void)state;
    struct gap_targets targets = {.r_min = 2, .r_des = 8, .s_des = 8, .w_sec = 1, .w_qos = 0};
    struct network n;
    struct gap_result result;
    double rate[4];
    open_network(&n, 80, 24, 8, 4, MIMO_PPZF, &targets);
    gap_solve(n.gap, &GAP_OPTIONS_DEFAULT, n.eta, n.eta_an, &result);
    gap_metrics(n.gap, n.eta, n.eta_an, rate, &result.end);
    for (int k = 0; k < 4; k++) {
        assert_true(rate[k] >= targets.r_min - 0.01); /* with no other weight it would be given up */
    }
    targets.r_min = 20;
    assert_int_equal(gap_set(n.gap, &n.model, &targets), 0);
    gap_equal_power(n.gap, false, n.eta, n.eta_an);
    gap_solve(n.gap, &GAP_OPTIONS_DEFAULT, n.eta, n.eta_an, &result);
    assert_feasible(&n);
    assert_true(result.end.merit > 1 && result.end.merit < result.start.merit);
    close_network(&n);
}

/* Networks with something missing: powers stay finite and feasible, and are never worse than the start. */
static void whatever_the_network_is(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        struct network n;
        struct gap_result result;
        struct gap_options options = GAP_OPTIONS_DEFAULT;
        const int m = 1 + i % 9, k = 1 + i % 5;
        options.method = i % 2 ? GAP_NEWTON : GAP_GRADIENT;
        options.noise = i % 3 ? GAP_NOISE_AUTO : GAP_NOISE_FREE;
        open_network(&n, (uint64_t)(90 + i), m, 1 + i % 7, k, i % 4 ? MIMO_PPZF : MIMO_PZF, &TARGETS);
        n.drop->P[i % m] = i % 2 ? 0 : n.drop->P[i % m]; /* an AP without power */
        for (int j = 0; i % 3 == 0 && j < m; j++) {
            n.tables->gain[j * k + k - 1] = 0; /* a user whom nobody hears */
        }
        for (int j = 0; i % 5 == 0 && j < m; j++) {
            n.tables->gain_eve[j] = n.tables->leak_eve[j] = n.tables->leak_plain_eve[j] = 0; /* no eavesdropper */
        }
        assert_int_equal(gap_set(n.gap, &n.model, &TARGETS), 0);
        for (int j = 0; i % 4 == 3 && j < m * k; j++) {
            n.eta[j] = 0; /* from nothing */
        }
        gap_solve(n.gap, &options, n.eta, n.eta_an, &result);
        assert_feasible(&n);
        assert_true(isfinite(result.end.merit) && result.end.merit <= result.start.merit);
        gap_sca_step(n.gap, &options, n.eta, n.eta_an, &result, NULL);
        assert_feasible(&n);
        assert_true(isfinite(result.end.merit) && result.end.merit <= result.start.merit);
        close_network(&n);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct network n;
    struct gap_targets targets = TARGETS;
    open_network(&n, 1, 4, 4, 3, MIMO_PPZF, &TARGETS);
    targets.r_des = 0;
    assert_int_equal(gap_set(n.gap, &n.model, &targets), TUTTI_EINVAL);
    n.drop->P[2] = -1;
    assert_int_equal(gap_set(n.gap, &n.model, &TARGETS), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "AP 2"));
    n.drop->P[2] = NAN;
    assert_int_equal(gap_set(n.gap, &n.model, &TARGETS), TUTTI_EINVAL);
    n.drop->P[2] = 1;
    n.model.n_ap = 5;
    assert_int_equal(gap_set(n.gap, &n.model, &TARGETS), TUTTI_EINVAL);
    close_network(&n);
}

static void nothing_allocates_after_create(void **state)
{
    (void)state;
    struct network n;
    struct gap_result result;
    struct gap_options options = GAP_OPTIONS_DEFAULT;
    open_network(&n, 2, 12, 6, 4, MIMO_PPZF, &TARGETS);
    const unsigned long before = n_allocated;
    assert_true(before > 0); /* the counter counts */
    gap_set(n.gap, &n.model, &TARGETS);
    gap_solve(n.gap, &options, n.eta, n.eta_an, &result);
    options.method = GAP_GRADIENT;
    gap_solve(n.gap, &options, n.eta, n.eta_an, &result);
    gap_sca_step(n.gap, &options, n.eta, n.eta_an, &result, NULL);
    gap_metrics(n.gap, n.eta, n.eta_an, NULL, &result.end);
    assert_int_equal(n_allocated, before);
    close_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_those_of_the_closed_forms),
        cmocka_unit_test(slopes_are_those_of_the_value),
        cmocka_unit_test(nothing_near_the_optimum_is_better),
        cmocka_unit_test(successive_approximation_never_rises),
        cmocka_unit_test(noise_helps_a_single_user_only),
        cmocka_unit_test(the_least_rate_is_elastic),
        cmocka_unit_test(whatever_the_network_is),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(nothing_allocates_after_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
