/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processor time of the weighted-gap problem from equal power to the merit of the golden cases, beside Ipopt on the
 * same drops in the same run (processor time as well, of this thread), and calls of malloc after create. */
#include "baton.h"
#include "control/gap_reference.h"
#include "control/resilience.h"
#include "measure.h"
#include "row.h"
#include "tools/study/ppzf_drop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_DROPS = 60, REPEAT = 5 };

struct bench {
    struct ppzf_drop *drop;
    struct ppzf_tables *tables;
    gap_t *gap;
    struct gap_model model;
    double *eta, *eta_an;
    double us[MOST_DROPS], step_us[MOST_DROPS], gradient_us[MOST_DROPS];
    double excess, iterations, ipopt_us, ratio;
    unsigned long allocations;
};

static const struct gap_targets TARGETS = {.r_des = 5, .s_des = 5, .w_sec = 0.5, .w_qos = 0.5};

static double timed(struct bench *b, const struct gap_options *options, bool step, struct gap_result *result)
{
    double least = INFINITY;
    for (int i = 0; i < REPEAT; i++) {
        gap_equal_power(b->gap, false, b->eta, b->eta_an);
        const double begin = measure_us();
        if (step) {
            gap_sca_step(b->gap, options, b->eta, b->eta_an, result, NULL);
        } else {
            gap_solve(b->gap, options, b->eta, b->eta_an, result);
        }
        least = fmin(least, measure_us() - begin);
    }
    return least;
}

static void one_drop(struct bench *b, int i, int n_reference)
{
    const struct gap_options gradient = {GAP_GRADIENT, GAP_NOISE_AUTO, 100, 0};
    struct gap_result result;
    measure_count(true);
    b->us[i] = timed(b, &GAP_OPTIONS_DEFAULT, false, &result);
    b->iterations += result.iterations;
    const double merit = result.end.merit;
    b->step_us[i] = timed(b, &GAP_OPTIONS_DEFAULT, true, &result);
    b->gradient_us[i] = timed(b, &gradient, false, &result);
    measure_count(false);
#ifdef TUTTI_IPOPT
    const struct gap_reference_options reference = {GAP_FORM_B, GAP_NOISE_AUTO, 40, 1e-5};
    int n_steps;
    if (i < n_reference) {
        gap_equal_power(b->gap, false, b->eta, b->eta_an);
        const double begin = measure_us();
        if (gap_reference_solve(b->gap, &reference, b->eta, b->eta_an, &result, &n_steps) == 0) {
            const double us = measure_us() - begin;
            b->ipopt_us += us / n_reference;
            b->ratio += us / b->us[i] / n_reference;
            b->excess = fmax(b->excess, merit - result.end.merit);
        }
    }
#else
    (void)n_reference, (void)merit;
    b->ipopt_us = b->ratio = b->excess = NAN;
#endif
}

static int size(int n_ap, int n_ue, int n_drops, int n_reference)
{
    struct bench b = {0};
    struct ppzf_scenario s = PPZF_SCENARIO;
    char name[64];
    s.n_ap = n_ap;
    s.n_ue = s.tau = n_ue;
    b.eta = calloc((size_t)(n_ap * n_ue), sizeof *b.eta);
    b.eta_an = calloc((size_t)n_ap, sizeof *b.eta_an);
    if (!b.eta || !b.eta_an || ppzf_drop_create(&b.drop, &s) || gap_create(&b.gap, n_ap, n_ue)) {
        return 1;
    }
    for (int i = 0; i < n_drops; i++) {
        ppzf_drop_fill(b.drop, 3, (uint64_t)i);
        ppzf_tables_destroy(b.tables);
        if (ppzf_drop_tables(b.drop, MIMO_PPZF, &b.tables)) {
            return 1;
        }
        b.model = ppzf_gap_model(b.tables, b.drop->P, ppzf_drop_omega(b.drop));
        if (gap_set(b.gap, &b.model, &TARGETS)) {
            return 1;
        }
        baton_pass();
        one_drop(&b, i, n_reference);
    }
    row_samples("best_us", n_drops, b.us);
    const struct measure_times whole = measure_summary(b.us, n_drops), step = measure_summary(b.step_us, n_drops);
    const struct measure_times gradient = measure_summary(b.gradient_us, n_drops);
    snprintf(name, sizeof name, "%d APs x %d, %d users", n_ap, s.n_ant, n_ue);
    ROW(name, {"best_us", whole.best_us}, {"median_us", whole.median_us}, {"p99_us", whole.p99_us},
        {"newton_steps", b.iterations / n_drops}, {"one_sca_step_us", step.median_us},
        {"gradient_100_us", gradient.median_us}, {"ipopt_us", b.ipopt_us}, {"ipopt_ratio", b.ratio},
        {"merit_over_ipopt", b.excess}, {"allocations", (double)measure_allocations()});
    gap_destroy(b.gap);
    ppzf_tables_destroy(b.tables);
    ppzf_drop_destroy(b.drop);
    free(b.eta);
    free(b.eta_an);
    return 0;
}

static void score(void)
{
    enum { ROUNDS = 100000 };
    const struct resilience_weights weights = {.adaptation = 0.5, .recovery = 0.5};
    struct resilience r;
    struct resilience_score found;
    volatile double keep = 0;
    resilience_begin(&r, &weights, 20, 0.4);
    const double begin = measure_us();
    for (int i = 0; i < ROUNDS; i++) {
        resilience_candidate(&r, 0.4 - 1e-6 * i, i, &found);
        keep = keep + found.score;
    }
    ROW("score of a candidate", {"median_us", (measure_us() - begin) / ROUNDS});
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    row_section("weighted-gap power, from equal power, Ipopt by the same approximation");
    const bool pairs = baton_is_open(); /* all rounds, or there would be two; Ipopt is not Tutti's */
    const int status = size(32, 8, pairs ? 40 : row_rounds(40), pairs ? 0 : row_rounds(6)) ||
                       size(64, 16, pairs ? 10 : row_rounds(10), pairs ? 0 : 1);
    score();
    if (status) {
        fprintf(stderr, "bench_gap: out of memory\n");
    }
    return status;
}
