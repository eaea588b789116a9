/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isac/sca.h: an approximation from within keeps every limit at every step and never falls back while nothing but the
 * objective counts; rounded modes never beat the optimum of all choices; what cannot be had is found out. */
#include "../sanitized.h"
#include "base/error.h"
#include "isac/drop.h"
#include "isac/modes.h"
#include "isac/sca.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { M = 6, N = 8, K = 2, L = 2 };
/* nu binds with the first, kappa (4 dB) with the second. */
static const struct isac_limits LIMITS = {1.584893192461, 0.5, 2.51188643150958};
static const struct isac_limits LOUD = {2.51188643150958, 0.5, 2.51188643150958};

struct watch {
    const struct drop *drop;
    const struct isac_limits *limits;
    enum isac_objective objective;
    int n;
    double first, last, unpenalised; /* the objective: of the start, now, before modes were pressed to 0 and 1 */
};

static void keeps_its_limits(void *context, const struct isac_sca_view *view)
{
    struct watch *const w = context;
    double sinr[K], masr[L], sinr_eve[L], power[M], least = INFINITY, largest = 0;
    isac_evaluate(&w->drop->scene, view->a, view->eta_c, view->eta_s, NULL,
                  &(struct isac_metrics){sinr, masr, sinr_eve, power});
    for (int k = 0; k < K; k++) {
        least = fmin(least, sinr[k]);
    }
    for (int l = 0; l < L; l++) {
        largest = fmax(largest, sinr_eve[l]);
        assert_true(masr[l] >= w->limits->kappa * (1 - 1e-5));
    }
    for (int m = 0; m < M; m++) {
        assert_true(power[m] <= 1 + 1e-6 && view->a[m] >= 0 && view->a[m] <= 1);
    }
    assert_int_equal(view->iteration, w->n);
    const double value = w->objective == ISAC_CP ? least : largest;
    assert_true(fabs(view->objective / value - 1) < 1e-9);
    assert_true(w->objective == ISAC_CP ? largest <= w->limits->nu * (1 + 1e-5) : least >= w->limits->qos * (1 - 1e-5));
    /* (35) is no bound, so that SP may fall back. */
    assert_true(w->n == 0 || view->penalty > 0 || w->objective == ISAC_SP || value >= w->last * (1 - 1e-5));
    w->first = w->n++ ? w->first : value;
    w->last = value;
    w->unpenalised = view->penalty > 0 ? w->unpenalised : value;
}

/* Steps of one run, watched. Returns the factor by which the objective changes. */
static double watched_run(isac_sca_t *sca, struct watch *w, uint64_t seed, unsigned char *mode, double *eta_c,
                          double *eta_s, struct isac_sca_result *result)
{
    assert_int_equal(isac_sca_run(sca, &w->drop->scene, w->limits, w->objective, seed, keeps_its_limits, w, mode, eta_c,
                                  eta_s, result),
                     0);
    assert_int_equal(result->verdict, ISAC_FEASIBLE);
    assert_true(result->n_step >= 3 && w->n == result->n_step + 1 && fabs(result->relaxed / w->last - 1) < 1e-9);
    return w->objective == ISAC_CP ? w->unpenalised / w->first : w->first / w->unpenalised;
}

static void cp_climbs_within_its_limits_and_not_beyond_the_optimum(void **state)
{
    (void)state;
    unsigned char mode[M], best_mode[M];
    double eta_c[M * K], eta_s[M * L];
    isac_modes_t *modes;
    isac_sca_t *sca;
    assert_int_equal(isac_modes_create(&modes, M, K, L), 0);
    assert_int_equal(isac_sca_create(&sca, M, K, L), 0);
    for (uint64_t seed = 3; seed <= (SANITIZED ? 3 : 4); seed++) {
        struct drop d;
        struct isac_decision all;
        struct isac_sca_result result;
        struct watch w = {.drop = &d, .limits = seed == 3 ? &LOUD : &LIMITS, .objective = ISAC_CP};
        drop_make(&d, seed, 300, M, N, K, L);
        isac_modes_exhaust(modes, &d.scene, w.limits, ISAC_CP, NULL, best_mode, eta_c, eta_s, &all);
        assert_true(watched_run(sca, &w, seed, mode, eta_c, eta_s, &result) > 1.5);
        print_message("drop %d: %d steps, %d of Ipopt, relaxed %.3f, threshold %.3f, prefix %.3f, optimum %.3f\n",
                      (int)seed, result.n_step, result.n_ipopt, result.relaxed, result.threshold.objective,
                      result.prefix.objective, all.solution.objective);
        const double ratio = result.prefix.objective / all.solution.objective;
        assert_true(result.n_sensing > 0 && ratio <= 1 + 1e-5 && ratio > 0.5);
        assert_true(!(result.threshold.objective > result.prefix.objective * (1 + 1e-5)));
        double a[M], sinr[K];
        for (int m = 0; m < M; m++) {
            a[m] = mode[m];
        }
        isac_evaluate(&d.scene, a, eta_c, eta_s, NULL, &(struct isac_metrics){.sinr = sinr});
        assert_true(fabs(fmin(sinr[0], sinr[1]) / result.prefix.objective - 1) < 1e-6);
    }
    isac_sca_destroy(sca);
    isac_modes_destroy(modes);
}

static void sp_falls_within_its_limits(void **state)
{
    (void)state;
    struct drop d;
    struct isac_sca_result result;
    struct watch w = {.drop = &d, .limits = &LOUD, .objective = ISAC_SP};
    unsigned char mode[M];
    double eta_c[M * K], eta_s[M * L];
    isac_sca_t *sca;
    drop_make(&d, 4, 300, M, N, K, L);
    assert_int_equal(isac_sca_create(&sca, M, K, L), 0);
    assert_true(watched_run(sca, &w, 4, mode, eta_c, eta_s, &result) > 3);
    assert_true(result.n_sensing > 0 && result.prefix.objective > 0);
    isac_sca_destroy(sca);
}

static void what_cannot_be_had_is_found_at_the_start(void **state)
{
    (void)state;
    struct drop d;
    struct isac_sca_result result;
    unsigned char mode[M];
    double eta_c[M * K], eta_s[M * L];
    isac_sca_t *sca;
    drop_make(&d, 3, 300, M, N, K, L);
    assert_int_equal(isac_sca_create(&sca, M, K, L), 0);
    const struct isac_limits loud = {1e9, LIMITS.nu, LIMITS.qos}, fast = {LIMITS.kappa, LIMITS.nu, 1e5};
    assert_int_equal(isac_sca_run(sca, &d.scene, &loud, ISAC_CP, 1, NULL, NULL, mode, eta_c, eta_s, &result), 0);
    assert_int_equal(result.verdict, ISAC_MASR_UNREACHABLE);
    assert_true(result.reachable > 1 && result.reachable < 1e9 && result.n_sensing == 0 && mode[0] == 1);
    assert_int_equal(isac_sca_run(sca, &d.scene, &fast, ISAC_SP, 1, NULL, NULL, mode, eta_c, eta_s, &result), 0);
    assert_int_equal(result.verdict, ISAC_QOS_UNREACHABLE);
    assert_true(result.reachable > 1 && result.reachable < 1e5);
    isac_sca_destroy(sca);
    assert_int_equal(isac_sca_create(&sca, M, 0, L), TUTTI_EINVAL);
    isac_sca_destroy(sca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cp_climbs_within_its_limits_and_not_beyond_the_optimum),
        cmocka_unit_test(sp_falls_within_its_limits),
        cmocka_unit_test(what_cannot_be_had_is_found_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
