/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who finds the modes: the search against all choices with few access points, and the paper's successive approximation
 * step by step (its Fig. 2) with what remains of it after rounding. */
#include "tools/study/figure.h"
#include "tools/study/isac_worker.h"
#ifdef TUTTI_IPOPT
#include "isac/sca.h"
#endif

#include <math.h>
#include <string.h>

static uint64_t start_seed(const struct study_run *run, uint64_t drop, int objective)
{
    return study_seed(run) + 2 * drop + (uint64_t)objective;
}

/* All choices ------------------------------------------------------------------------------------------------------ */

enum { N_EFFORT = 3, THRESHOLD = N_EFFORT, PREFIX, N_WAY };

/* Reached over best, 1 when equal, below 1 is worse with either objective; 0 when nothing feasible was found. */
static double share_of_best(const struct isac_solution *found, const struct isac_solution *best,
                            enum isac_objective objective)
{
    const double ratio = found->objective / best->objective;
    return best->verdict != ISAC_FEASIBLE    ? (double)NAN
           : found->verdict != ISAC_FEASIBLE ? 0
           : objective == ISAC_CP            ? ratio
                                             : 1 / ratio;
}

/* The paper's method on the worker's drop: what its two roundings have of the best. */
static int rounded(struct isac_worker *w, const struct study_run *run, uint64_t drop, enum isac_objective objective,
                   const struct isac_solution *best, double *values)
{
    values[THRESHOLD] = values[PREFIX] = (double)NAN;
    if (study_value(run, "sca") == 0) {
        return 0;
    }
#ifdef TUTTI_IPOPT
    const struct isac_limits limits = isac_limits_of(run, study_value(run, "kappa_db"), ISAC_QOS_4_DB);
    isac_sca_t *sca;
    struct isac_sca_result r;
    int status = isac_sca_create(&sca, w->scene.n_ap, w->scene.n_ue, w->scene.n_zone);
    if (!status) {
        status = isac_sca_run(sca, &w->scene, &limits, objective, start_seed(run, drop, (int)objective), NULL, NULL,
                              w->mode, w->eta_c, w->eta_s, &r);
        values[THRESHOLD] = share_of_best(&r.threshold, best, objective);
        values[PREFIX] = share_of_best(&r.prefix, best, objective);
    }
    isac_sca_destroy(sca);
    return status;
#else
    (void)w, (void)run, (void)drop, (void)objective, (void)best;
    return 0;
#endif
}

static int exhaustive_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_worker *const w = worker;
    const struct isac_limits limits = isac_limits_of(run, study_value(run, "kappa_db"), ISAC_QOS_4_DB);
    struct isac_sizes sizes = isac_sizes(run);
    sizes.n_zone = 1 + (int)(drop % 2);
    int status = isac_worker_draw(w, run, drop, sizes);
    for (int i = 0; i < 2 && !status; i++) {
        const enum isac_objective objective = i ? ISAC_SP : ISAC_CP;
        double *const v = values + i * N_WAY;
        struct isac_decision best;
        isac_modes_exhaust(w->modes, &w->scene, &limits, objective, NULL, w->mode, w->eta_c, w->eta_s, &best);
        for (int effort = 0; effort < N_EFFORT; effort++) {
            const struct isac_decision d = isac_worker_decide(w, run, objective, (enum isac_effort)effort, &limits);
            v[effort] = share_of_best(&d.solution, &best.solution, objective);
        }
        status = rounded(w, run, drop, objective, &best.solution, v);
    }
    return status;
}

static void exhaustive_way(struct study_run *run, int column, const char *name)
{
    int equal = 0, n = 0, none = 0;
    double worst = 1;
    study_series(run, name, false);
    for (int d = 0; d < study_n_drop(run); d++) {
        const double ratio = study_at(run, d, column);
        if (isnan(ratio)) {
            continue;
        }
        study_point(run, d, (struct study_estimate){ratio, 0, 1});
        equal += fabs(ratio - 1) <= 1e-3;
        none += ratio <= 0;
        worst = ratio > 0 ? fmin(worst, ratio) : worst;
        n++;
        if (column % N_WAY == ISAC_SWAPS && fabs(ratio - 1) > 1e-3) {
            study_note(run, "%s, drop %d: %.4f of the optimum", name, d, ratio);
        }
    }
    study_note(run, "%s: equal in %d of %d drops, nothing feasible in %d, else worst ratio %.3f", name, equal, n, none,
               worst);
    if (column % N_WAY == ISAC_SWAPS) {
        study_check(run, equal >= 0.9 * n, equal, "%s: the optimum in %d of %d drops, at least 90 %%", name, equal, n);
    }
}

static void exhaustive_evaluate(struct study_run *run)
{
    static const char *const WAYS[] = {
        "CP prefixes", "CP flips", "CP flips and swaps", "CP SCA, threshold", "CP SCA, prefixes",
        "SP prefixes", "SP flips", "SP flips and swaps", "SP SCA, threshold", "SP SCA, prefixes"};
    study_panel_scattered(run, "reached over the optimum of all choices of modes", "drop", "ratio, 1 = equal");
    for (int i = 0; i < 2 * N_WAY; i++) {
        exhaustive_way(run, i, WAYS[i]);
    }
#ifndef TUTTI_IPOPT
    study_note(run, "the SCA is left out: built without Ipopt");
#endif
}

static const struct study_parameter EXHAUSTIVE_PARAMETERS[] = {ISAC_PARAMETERS,
                                                               {"n_ap", 6, 'A', "M"},
                                                               {"n_ue", 2, 'A', "K"},
                                                               {"n_zone", 2, 'A', "L is 1 and 2 in turn"},
                                                               {"sca", 1, 'A', "0 leaves the paper's method out"},
                                                               {NULL, 0, 0, NULL}};
static const char *const EXHAUSTIVE_CHECKS[] = {
    "flips and swaps reach the optimum of 64 choices (1e-3) in 90 % of drops, CP and SP; the SCA is held to nothing",
    NULL};

const struct study STUDY_ISAC_EXHAUSTIVE = {.name = "isac-exhaustive",
                                            .item = "ISAC, mode search",
                                            .summary = "search and SCA against all choices of modes",
                                            .duration = 'M',
                                            .n_drop = 24,
                                            .n_quick = 1,
                                            .n_value = 2 * N_WAY,
                                            .parameters = EXHAUSTIVE_PARAMETERS,
                                            .caveats = ISAC_CAVEATS + ISAC_CAVEATS_SEARCH,
                                            .checks = EXHAUSTIVE_CHECKS,
                                            .counterpart = ISAC_COUNTERPART,
                                            .open = isac_worker_open,
                                            .close = isac_worker_close,
                                            .drop = exhaustive_drop,
                                            .evaluate = exhaustive_evaluate};

/* Fig. 2 ----------------------------------------------------------------------------------------------------------- */

#ifdef TUTTI_IPOPT
/* Per objective: rates at every step, the last ones repeated after the end of a run; then what it came to. Objectives:
 * least SINR of a user (CP), largest of an eavesdropper (SP). */
enum { N_POINT = ISAC_SCA_MOST_STEPS + 1, USER = 0, EVE = N_POINT, SECRECY = 2 * N_POINT, N_STEP = 3 * N_POINT };
enum { REACHED_95 = N_STEP + 1, RELAXED, ROUNDED, BEST_PREFIX, SEARCH, BOUND, N_OBJECTIVE };
enum { QUICK_AP = 6, QUICK_UE = 2 };

struct tracing {
    struct isac_worker *w;
    const struct study_run *run;
    double *v;
};

static void trace(void *context, const struct isac_sca_view *view)
{
    const struct tracing *const t = context;
    struct isac_worker *const w = t->w;
    double sum = 0;
    isac_evaluate(&w->scene, view->a, view->eta_c, view->eta_s, NULL,
                  &(struct isac_metrics){.sinr = w->sinr, .sinr_eve = w->sinr_eve});
    isac_rates(&w->scene, isac_worker_prelog(w, t->run), w->sinr, w->sinr_eve, w->rate, &w->rate_eve, w->secrecy);
    for (int k = 0; k < w->scene.n_ue; k++) {
        sum += w->secrecy[k];
    }
    for (int i = view->iteration; i < N_POINT; i++) {
        t->v[USER + i] = isac_worker_mean_rate(w);
        t->v[EVE + i] = w->rate_eve;
        t->v[SECRECY + i] = sum / w->scene.n_ue;
    }
}

/* The first step with 95 % of the run's largest mean user rate. */
static double step_at_95(const double *rate)
{
    double most = 0;
    int i = 0;
    for (int j = 0; j < N_POINT; j++) {
        most = fmax(most, rate[j]);
    }
    while (i < N_POINT - 1 && rate[i] < 0.95 * most) {
        i++;
    }
    return i;
}

static int fig2_objective(struct isac_worker *w, const struct study_run *run, uint64_t drop,
                          enum isac_objective objective, double *v)
{
    const struct isac_limits limits = isac_limits_of(run, study_value(run, "kappa_db"), ISAC_QOS_4_DB);
    struct tracing tracing = {w, run, v};
    isac_sca_t *sca;
    struct isac_sca_result r;
    int status = isac_sca_create(&sca, w->scene.n_ap, w->scene.n_ue, w->scene.n_zone);
    if (!status) {
        status = isac_sca_run(sca, &w->scene, &limits, objective, start_seed(run, drop, (int)objective), trace,
                              &tracing, w->mode, w->eta_c, w->eta_s, &r);
    }
    if (!status && r.verdict == ISAC_FEASIBLE) {
        const struct isac_decision d = isac_worker_decide(w, run, objective, ISAC_SWAPS, &limits);
        v[N_STEP] = r.n_step;
        v[REACHED_95] = step_at_95(v + USER);
        v[RELAXED] = r.relaxed;
        v[ROUNDED] = r.threshold.objective;
        v[BEST_PREFIX] = r.prefix.objective;
        v[SEARCH] = d.solution.objective;
        v[BOUND] = d.bound;
    }
    isac_sca_destroy(sca);
    return status;
}

static int fig2_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_sizes sizes = isac_sizes(run);
    if (study_is_quick(run)) { /* a run at full size takes six seconds */
        sizes.n_ap = sizes.n_ap < QUICK_AP ? sizes.n_ap : QUICK_AP;
        sizes.n_ue = sizes.n_ue < QUICK_UE ? sizes.n_ue : QUICK_UE;
    }
    int status = isac_worker_draw(worker, run, drop, sizes);
    for (int i = 0; i < 2 * N_OBJECTIVE; i++) {
        values[i] = (double)NAN;
    }
    for (int i = 0; i < 2 && !status; i++) {
        status = fig2_objective(worker, run, drop, i ? ISAC_SP : ISAC_CP, values + i * N_OBJECTIVE);
    }
    return status;
}

static void fig2_steps(struct study_run *run, int first, const char *title)
{
    static const struct {
        const char *name;
        int column;
        double quantile;
    } CURVES[] = {{"users, median", USER, 0.5},
                  {"Eve, median", EVE, 0.5},
                  {"secrecy, median", SECRECY, 0.5},
                  {"secrecy, quartile", SECRECY, 0.25},
                  {"secrecy, quartile", SECRECY, 0.75}};
    study_panel(run, title, "step", "mean rate, bit/s/Hz");
    for (size_t c = 0; c < sizeof CURVES / sizeof *CURVES; c++) {
        study_series(run, CURVES[c].name, false);
        for (int i = 0; i < N_POINT; i++) {
            const struct figure_columns at = {first + CURVES[c].column + i, 1};
            study_point(run, i, figure_quantile(run, at, CURVES[c].quantile));
        }
    }
}

static void fig2_ends(struct study_run *run, int first, const char *name)
{
    static const char *const ENDS[] = {"relaxed modes at the end", "rounded at 0.5", "best prefix",
                                       "relaxation, flips, swaps", "bound of any modes"};
    study_panel_scattered(run, name, "1 .. 5 as in the key", "SINR: median and quartiles");
    for (int i = RELAXED; i <= BOUND; i++) {
        const struct figure_columns at = {first + i, 1};
        const struct study_estimate middle = figure_quantile(run, at, 0.5), low = figure_quantile(run, at, 0.25);
        const struct study_estimate high = figure_quantile(run, at, 0.75);
        study_series(run, ENDS[i - RELAXED], false);
        study_point(run, i - RELAXED + 1, low);
        study_point(run, i - RELAXED + 1, middle);
        study_point(run, i - RELAXED + 1, high);
        study_note(run, "%s, %s: median %.4g (%.2g), quartiles %.4g and %.4g, %d of %d drops", name, ENDS[i - RELAXED],
                   middle.mean, middle.se, low.mean, high.mean, study_mean(run, first + i).n, study_n_drop(run));
    }
    const struct study_estimate steps = study_mean(run, first + N_STEP);
    study_note(run, "%s: %.1f (%.1f) steps with penalty", name, steps.mean, steps.se);
}

static void fig2_check(struct study_run *run, int first, bool cp)
{
    int beyond = 0, behind = 0, n = 0;
    for (int d = 0; d < study_n_drop(run); d++) {
        const double bound = study_at(run, d, first + BOUND), search = study_at(run, d, first + SEARCH);
        const double prefix = study_at(run, d, first + BEST_PREFIX);
        for (int i = ROUNDED; i <= SEARCH; i++) {
            const double value = study_at(run, d, first + i);
            beyond += cp ? value > bound * (1 + 1e-4) : value < bound * (1 - 1e-4);
        }
        n += !isnan(search);
        behind += cp ? prefix > search * (1 + 1e-4) : prefix < search * (1 - 1e-4);
    }
    study_check(run, beyond == 0, beyond, "%s: rounded and solved again, beyond the bound: %d, none allowed",
                cp ? "CP" : "SP", beyond);
    study_check(run, study_is_quick(run) || behind <= 0.1 * n, n - behind,
                "%s: the search is as good as the SCA's best prefix in %d of %d drops, at least 90 %%",
                cp ? "CP" : "SP", n - behind, n);
}

static void fig2_evaluate(struct study_run *run)
{
    const struct study_estimate at = figure_quantile(run, (struct figure_columns){REACHED_95, 1}, 0.5);
    fig2_steps(run, 0, "CP");
    fig2_steps(run, N_OBJECTIVE, "SP, qos 4 dB");
    fig2_ends(run, 0, "CP, users' least SINR");
    fig2_ends(run, N_OBJECTIVE, "SP, Eve's largest SINR");
    study_check(run, study_is_quick(run) || (at.mean >= 5 && at.mean <= 15), at.mean,
                "CP: 95 %% of the run's largest mean user rate at step %.1f (%.1f) in the median, 5 to 15", at.mean,
                at.se);
    fig2_check(run, 0, true);
    fig2_check(run, N_OBJECTIVE, false);
}

static const struct study_parameter FIG2_PARAMETERS[] = {
    ISAC_PARAMETERS, {"n_ap", 32, 'T', "M"}, {"n_ue", 8, 'A', "K"}, {"n_zone", 2, 'T', "L"}, {NULL, 0, 0, NULL}};
static const char *const FIG2_CHECKS[] = {"CP: 95 % of the run's own limit at step 5 to 15 in the median",
                                          "nothing rounded is beyond the bound",
                                          "flips and swaps as good as the SCA's best prefix in 90 % of drops", NULL};
static const char *const FIG2_CAVEATS[] = {
    "Penalty, start and scaling are not in the paper: lambda 0 for 12 steps, then 0.02 to 20 in nine stages of 5, "
    "random "
    "feasible start. Rates at a step are those of modes between 0 and 1, which no network can have.",
    "(35) is a Taylor expansion, no bound: SP's steps may break (32a).", "K is not given in the paper.", NULL};

const struct study STUDY_ISAC_FIG2 = {.name = "isac-fig2",
                                      .item = "ISAC, Fig. 2",
                                      .summary = "rates over the steps of the paper's SCA, CP and SP",
                                      .duration = 'L',
                                      .n_drop = 20,
                                      .n_quick = 1,
                                      .n_value = 2 * N_OBJECTIVE,
                                      .parameters = FIG2_PARAMETERS,
                                      .caveats = FIG2_CAVEATS,
                                      .checks = FIG2_CHECKS,
                                      .counterpart = ISAC_COUNTERPART,
                                      .open = isac_worker_open,
                                      .close = isac_worker_close,
                                      .drop = fig2_drop,
                                      .evaluate = fig2_evaluate};
#endif
