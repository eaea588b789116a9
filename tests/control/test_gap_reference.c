/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The solver of the weighted-gap problem against Ipopt on random networks: test_gap_reference [N_DROPS [N_AP]]. */
#include "base/error.h"
#include "control/gap_reference.h"
#include "tools/study/ppzf_drop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 5;

static int between(int low, int high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (int)((state >> 33) % (uint64_t)(high - low + 1));
}

static bool feasible(const struct ppzf_drop *drop, const double *eta, const double *eta_an)
{
    for (int m = 0; m < drop->scenario.n_ap; m++) {
        double sum = eta_an[m];
        bool ok = eta_an[m] >= 0;
        for (int k = 0; k < drop->scenario.n_ue; k++) {
            const double power = eta[m * drop->scenario.n_ue + k];
            sum += power;
            ok = ok && power >= 0;
        }
        if (!(ok && sum <= drop->P[m] * (1 + 1e-9))) { /* also false for what is no number */
            return false;
        }
    }
    return true;
}

/* False: over the limit, infeasible, or the two disagree about what the powers are worth. */
static bool compare(const struct ppzf_drop *drop, const struct gap_model *model, gap_t *gap, double *eta,
                    double *eta_an)
{
    static const struct gap_targets targets = {.r_des = 5, .s_des = 5, .w_sec = 0.5, .w_qos = 0.5};
    const struct gap_reference_options reference = {GAP_FORM_B, GAP_NOISE_AUTO, 40, 1e-6};
    struct gap_result wanted, found;
    struct gap_metrics again;
    int n_steps = 0;
    if (gap_set(gap, model, &targets)) {
        printf("%s\n", error_text());
        return false;
    }
    gap_equal_power(gap, false, eta, eta_an);
    if (gap_reference_solve(gap, &reference, eta, eta_an, &wanted, &n_steps)) {
        printf("%s\n", error_text());
        return false;
    }
    const bool reference_feasible = feasible(drop, eta, eta_an);
    gap_equal_power(gap, false, eta, eta_an);
    gap_solve(gap, &GAP_OPTIONS_DEFAULT, eta, eta_an, &found);
    gap_metrics(gap, eta, eta_an, NULL, &again);
    const double limit = wanted.end.merit + fmax(5e-4, 2e-3 * wanted.end.merit);
    const bool ok = reference_feasible && feasible(drop, eta, eta_an) && found.end.merit <= limit &&
                    fabs(again.merit - found.end.merit) < 1e-9;
    printf("M=%d N=%d K=%d: start %.6f, Ipopt %.6f in %d steps of %d iterations, here %.6f in %d%s\n", model->n_ap,
           drop->scenario.n_ant, model->n_ue, wanted.start.merit, wanted.end.merit, n_steps, wanted.iterations,
           found.end.merit, found.iterations, ok ? "" : " WRONG");
    return ok;
}

static bool one_drop(int i, int most_ap)
{
    struct ppzf_scenario s = PPZF_SCENARIO;
    struct ppzf_drop *drop = NULL;
    struct ppzf_tables *tables = NULL;
    gap_t *gap = NULL;
    s.n_ap = between(8, most_ap);
    s.n_ant = between(2, 16);
    s.n_ue = s.tau = between(1, most_ap < 64 ? 6 : 16);
    s.eve_dbm = between(0, 1) ? 20 : 10;
    s.three_slope = between(0, 1);
    double *const eta = calloc((size_t)(s.n_ap * s.n_ue), sizeof *eta), *const eta_an = calloc((size_t)s.n_ap, 8);
    bool ok = eta && eta_an && !ppzf_drop_create(&drop, &s) && !gap_create(&gap, s.n_ap, s.n_ue);
    if (ok) {
        ppzf_drop_fill(drop, 21, (uint64_t)i);
        ok = !ppzf_drop_tables(drop, MIMO_PPZF, &tables);
    }
    if (ok) {
        const struct gap_model model = ppzf_gap_model(tables, drop->P, ppzf_drop_omega(drop));
        ok = compare(drop, &model, gap, eta, eta_an);
    }
    free(eta);
    free(eta_an);
    gap_destroy(gap);
    ppzf_tables_destroy(tables);
    ppzf_drop_destroy(drop);
    return ok;
}

int main(int argc, char **argv)
{
    const int n_drops = argc > 1 ? atoi(argv[1]) : 6, most_ap = argc > 2 ? atoi(argv[2]) : 12;
    int wrong = 0;
    for (int i = 0; i < n_drops; i++) {
        wrong += !one_drop(i, most_ap);
    }
    printf("%d drops, %d wrong\n", n_drops, wrong);
    return n_drops < 1 || wrong > 0;
}
