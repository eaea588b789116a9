/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fig. 3 of the resilience paper: adaptation, score and best score against the iterations of the successive
 * approximation. */
#include "control/resilience.h"
#include "tools/study/ppzf_worker.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { STEPS = 12, TRACE = STEPS + 1, N_WEIGHT = 3, N_LAMBDA = 4, N_TIME = 4 };
static const double W_SEC[] = {0.1, 0.5, 0.9};
static const double LAMBDA_REC[] = {0, 0.2, 0.5, 0.8};
static const double T_DES_MS[] = {5, 10, 20, 40};
static const struct study_parameter PARAMETERS[] = {PPZF_PARAMETERS,
                                                    {"step_ms", 10, 'A', "scripted time per iteration"},
                                                    {"t_des_ms", 20, 'A', "desired recovery time, fig3b"},
                                                    {NULL, 0, 0, NULL}};

static double processor_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* 1 - gap at n = 0 .. STEPS; *rose counts steps after which the merit was higher, *ms is processor time per step. */
static void trace(struct ppzf_worker *w, enum gap_noise noise, double *adaptation, double *rose, double *ms)
{
    struct gap_options options = GAP_OPTIONS_DEFAULT;
    struct gap_result result;
    double before = INFINITY;
    options.noise = noise;
    *rose = 0;
    gap_equal_power(w->gap, false, w->eta, w->eta_an);
    const double begin = processor_ms();
    for (int n = 0; n < STEPS; n++) {
        gap_sca_step(w->gap, &options, w->eta, w->eta_an, &result, NULL);
        adaptation[n] = 1 - result.start.psi_metric;
        *rose += result.end.merit > result.start.merit || result.start.merit > before + 1e-9;
        before = result.end.merit;
    }
    *ms = (processor_ms() - begin) / STEPS;
    adaptation[STEPS] = 1 - result.end.psi_metric;
}

/* ppzf-fig3a --------------------------------------------------------------------------------------------------------
 */

/* Per weight: OPA, OPA no AN, EPA+AN, rose, 99 % by n = 3 (1 or -1). Then the gradient's trace, ms per step of both. */
enum { A_OPA = 0, A_NONE = TRACE, A_EPA_AN = 2 * TRACE, A_ROSE, A_FAST, A_PER_WEIGHT };
enum { A_GRADIENT = N_WEIGHT * A_PER_WEIGHT, A_MS = A_GRADIENT + TRACE, A_MS_GRADIENT, A_VALUES };

static void gradient_trace(struct ppzf_worker *w, double *adaptation, double *ms)
{
    const struct gap_options options = {GAP_GRADIENT, GAP_NOISE_AUTO, 10, 0};
    struct gap_result result;
    gap_equal_power(w->gap, false, w->eta, w->eta_an);
    const double begin = processor_ms();
    for (int n = 0; n < STEPS; n++) {
        gap_solve(w->gap, &options, w->eta, w->eta_an, &result);
        adaptation[n] = 1 - result.start.psi_metric;
        adaptation[n + 1] = 1 - result.end.psi_metric;
    }
    *ms = (processor_ms() - begin) / STEPS;
}

static int fig3a_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct ppzf_worker *const w = worker;
    const struct ppzf_scenario s = ppzf_worker_scenario(run);
    for (int i = 0; i < N_WEIGHT; i++) {
        const struct gap_targets targets = ppzf_worker_targets(run, W_SEC[i]);
        double *const v = values + i * A_PER_WEIGHT;
        struct gap_metrics equal;
        double rose, ms;
        const int status =
            i ? ppzf_worker_aim(w, &targets) : ppzf_worker_set(w, &s, study_seed(run), drop, MIMO_PPZF, &targets);
        if (status) {
            return status;
        }
        trace(w, GAP_NOISE_FREE, v + A_OPA, &v[A_ROSE], &ms);
        trace(w, GAP_NOISE_NONE, v + A_NONE, &rose, &ms);
        v[A_ROSE] += rose;
        gap_equal_power(w->gap, true, w->eta, w->eta_an);
        gap_metrics(w->gap, w->eta, w->eta_an, NULL, &equal);
        v[A_EPA_AN] = 1 - equal.psi_metric;
        v[A_FAST] = v[3] - v[0] >= 0.99 * (v[STEPS] - v[0]) ? 1 : -1;
        if (W_SEC[i] == 0.5) {
            values[A_MS] = ms;
            gradient_trace(w, values + A_GRADIENT, &values[A_MS_GRADIENT]);
        }
    }
    return 0;
}

static void fig3a_series(struct study_run *run)
{
    char name[64];
    study_panel(run, "adaptation against iteration", "iteration", "1 - gap");
    for (int i = 0; i < N_WEIGHT; i++) {
        static const char *const kinds[] = {"OPA", "OPA no AN"};
        for (int kind = 0; kind < 2; kind++) {
            snprintf(name, sizeof name, "%s w_{sec}=%g", kinds[kind], W_SEC[i]);
            study_series(run, name, false);
            for (int n = 0; n < TRACE; n++) {
                study_point(run, n, study_mean(run, i * A_PER_WEIGHT + (kind ? A_NONE : A_OPA) + n));
            }
        }
        snprintf(name, sizeof name, "EPA+AN w_{sec}=%g", W_SEC[i]);
        study_series(run, name, false);
        for (int n = 0; n < TRACE; n += STEPS) {
            study_point(run, n, study_mean(run, i * A_PER_WEIGHT + A_EPA_AN));
        }
    }
    study_panel(run, "the same against time, w_{sec}=0.5", "ms", "1 - gap");
    const double step_ms[] = {study_value(run, "step_ms"), study_mean(run, A_MS).mean,
                              study_mean(run, A_MS_GRADIENT).mean};
    static const char *const clocks[] = {"scripted clock", "measured: successive approximation here",
                                         "measured: projected gradient, 10 steps a candidate"};
    for (int c = 0; c < 3; c++) {
        study_series(run, clocks[c], c > 0);
        for (int n = 0; n < TRACE; n++) {
            study_point(run, step_ms[c] * n, study_mean(run, (c == 2 ? A_GRADIENT : A_PER_WEIGHT + A_NONE) + n));
        }
    }
}

static void fig3a_references(struct study_run *run)
{
    static const int n_of[] = {0, 1, 2, 3, 5, 12};
    static const double mean[][7] = {{.836, .947, .957, .960, .962, .964, .827},
                                     {.582, .845, .883, .893, .901, .908, .576},
                                     {.327, .749, .815, .833, .849, .859, .325}};
    static const double se[][7] = {{.005, .004, .003, .003, .003, .003, .005},
                                   {.013, .011, .009, .008, .008, .007, .013},
                                   {.022, .018, .015, .014, .013, .012, .022}};
    for (int i = 0; i < N_WEIGHT; i++) {
        for (int j = 0; j < 7; j++) {
            char what[64];
            const int column = j < 6 ? A_OPA + n_of[j] : A_EPA_AN;
            snprintf(what, sizeof what, "w_sec=%g %s%d", W_SEC[i], j < 6 ? "OPA n=" : "EPA+AN ", j < 6 ? n_of[j] : 0);
            study_check_reference(run, study_mean(run, i * A_PER_WEIGHT + column), mean[i][j], se[i][j], what);
        }
    }
}

static void fig3a_weight(struct study_run *run, int i)
{
    const int at = i * A_PER_WEIGHT;
    double worst = 0;
    for (int d = 0; d < study_n_drop(run); d++) {
        worst = fmax(worst, fabs(study_at(run, d, at + A_OPA + STEPS) - study_at(run, d, at + A_NONE + STEPS)));
    }
    const struct study_estimate gain = study_paired(run, at + A_OPA + STEPS, at + A_EPA_AN);
    const double rose = study_share(run, at + A_ROSE), fast = study_share(run, at + A_FAST);
    study_check(run, rose <= 0, rose, "w_sec=%g: the gap rises in no step of any drop (share of drops %.3f)", W_SEC[i],
                rose);
    study_check(run, gain.mean > 5 * gain.se, gain.mean,
                "w_sec=%g: OPA over EPA+AN %.3f(%.3f), above 5 standard errors", W_SEC[i], gain.mean, gain.se);
    study_check(run, worst <= 2e-3, worst, "w_sec=%g: |OPA - OPA no AN| %.2g in every drop, at most 2e-3", W_SEC[i],
                worst);
    if (!study_is_quick(run)) {
        study_check(run, fast >= 0.55, fast, "w_sec=%g: 99 %% of the gain by n=3 in %.0f %% of drops, at least 55 %%",
                    W_SEC[i], 100 * fast);
    }
}

static void fig3a_evaluate(struct study_run *run)
{
    double start[N_WEIGHT], end[N_WEIGHT];
    fig3a_series(run);
    for (int i = 0; i < N_WEIGHT; i++) {
        fig3a_weight(run, i);
        start[i] = study_mean(run, i * A_PER_WEIGHT).mean;
        end[i] = study_mean(run, i * A_PER_WEIGHT + STEPS).mean;
    }
    study_check(run, start[0] > start[1] && start[1] > start[2] && end[0] - end[2] < 0.2, end[0] - end[2],
                "curves start in the order of w_sec (%.3f %.3f %.3f) and end within 0.2 (%.3f)", start[0], start[1],
                start[2], end[0] - end[2]);
    if (!study_is_quick(run)) {
        fig3a_references(run);
    }
    study_note(
        run,
        "on this machine a step of the approximation takes %.2g ms of processor time, 10 steps of the gradient %.2g ms",
        study_mean(run, A_MS).mean, study_mean(run, A_MS_GRADIENT).mean);
}

/* ppzf-fig3b, ppzf-fig3c --------------------------------------------------------------------------------------------
 */

static double lambda_ada(int l)
{
    return 1 - LAMBDA_REC[l];
}

static int one_trace(const struct study_run *run, void *worker, uint64_t drop, double w_sec, bool fresh,
                     double *adaptation)
{
    const struct ppzf_scenario s = ppzf_worker_scenario(run);
    const struct gap_targets targets = ppzf_worker_targets(run, w_sec);
    double rose, ms;
    const int status = fresh ? ppzf_worker_set(worker, &s, study_seed(run), drop, MIMO_PPZF, &targets)
                             : ppzf_worker_aim(worker, &targets);
    if (!status) {
        trace(worker, GAP_NOISE_AUTO, adaptation, &rose, &ms);
    }
    return status;
}

/* Algorithm 1 over a trace; arrays [STEPS], NULL if not wanted. Returns the index chosen, from 1. */
static int score(const struct study_run *run, const double *adaptation, int l, double t_des_ms, double *instant,
                 double *best, double *deployed)
{
    const struct resilience_weights weights = {.adaptation = lambda_ada(l), .recovery = LAMBDA_REC[l]};
    struct resilience r;
    struct resilience_score found;
    resilience_begin(&r, &weights, t_des_ms, 1 - adaptation[0]);
    for (int n = 1; n <= STEPS; n++) {
        resilience_candidate(&r, 1 - adaptation[n], n * study_value(run, "step_ms"), &found);
        if (instant) {
            instant[n - 1] = found.score;
        }
        if (best) {
            best[n - 1] = r.best.score;
            deployed[n - 1] = r.best.adaptation;
        }
    }
    return r.best_index + 1;
}

enum { B_WEIGHTS = 2, B_VALUES = B_WEIGHTS * N_LAMBDA * STEPS };

static int fig3b_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    for (int i = 0; i < B_WEIGHTS; i++) {
        double adaptation[TRACE];
        const int status = one_trace(run, worker, drop, W_SEC[i + 1], i == 0, adaptation);
        if (status) {
            return status;
        }
        for (int l = 0; l < N_LAMBDA; l++) {
            score(run, adaptation, l, study_value(run, "t_des_ms"), values + (i * N_LAMBDA + l) * STEPS, NULL, NULL);
        }
    }
    return 0;
}

static void fig3b_evaluate(struct study_run *run)
{
    static const int n_of[] = {1, 2, 3, 6, 12};
    static const double reference[][5] = {{.845, .883, .893, .904, .908},
                                          {.876, .906, .848, .790, .759},
                                          {.923, .941, .780, .618, .537},
                                          {.969, .977, .712, .447, .315}};
    const int late = (int)floor(study_value(run, "t_des_ms") / study_value(run, "step_ms")) + 1; /* first t_n > T_des */
    for (int i = 0; i < B_WEIGHTS; i++) {
        double end = INFINITY;
        char name[64];
        snprintf(name, sizeof name, "score against time, w_{sec}=%g", W_SEC[i + 1]);
        study_panel(run, name, "ms (scripted)", "score");
        for (int l = 0; l < N_LAMBDA; l++) {
            const int at = (i * N_LAMBDA + l) * STEPS;
            bool falls = false;
            double before = -INFINITY;
            snprintf(name, sizeof name, "lambda %g/%g", lambda_ada(l), LAMBDA_REC[l]);
            study_series(run, name, false);
            for (int n = 1; n <= STEPS; n++) {
                const struct study_estimate mean = study_mean(run, at + n - 1);
                study_point(run, n * study_value(run, "step_ms"), mean);
                falls = falls || (mean.mean < before && (l == 0 || n == late));
                before = mean.mean;
            }
            study_check(run, l == 0 ? !falls : falls || late > STEPS, before,
                        "w_sec=%g, lambda_rec %g: the mean score %s", W_SEC[i + 1], LAMBDA_REC[l],
                        l == 0 ? "never falls" : "falls at the first time beyond T_des");
            study_check(run, before < end, before,
                        "w_sec=%g: the score in the long run falls with lambda_rec (%.3f at %g)", W_SEC[i + 1], before,
                        LAMBDA_REC[l]);
            end = before;
            for (int j = 0; i == 0 && j < 5 && !study_is_quick(run); j++) {
                snprintf(name, sizeof name, "w_sec=0.5 lambda_rec=%g n=%d", LAMBDA_REC[l], n_of[j]);
                /* the reference gives 0.007 to 0.011 for adaptation, of which this holds the share lambda_ada */
                study_check_reference(run, study_mean(run, at + n_of[j] - 1), reference[l][j], 0.011 * lambda_ada(l),
                                      name);
            }
        }
    }
}

/* Per T_des and lambda: best so far, adaptation of the best so far, index chosen, last in time (1 or -1). */
enum { C_BEST = 0, C_DEPLOYED = STEPS, C_INDEX = 2 * STEPS, C_IN_TIME, C_LAST, C_PER_CASE };

static int fig3c_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    double adaptation[TRACE];
    const int status = one_trace(run, worker, drop, 0.5, true, adaptation);
    for (int i = 0; i < N_TIME * N_LAMBDA && !status; i++) {
        double *const v = values + i * C_PER_CASE;
        const double t_des_ms = T_DES_MS[i / N_LAMBDA];
        const int index = score(run, adaptation, i % N_LAMBDA, t_des_ms, NULL, v + C_BEST, v + C_DEPLOYED);
        v[C_INDEX] = index;
        v[C_IN_TIME] = index == (int)fmax(1, floor(t_des_ms / study_value(run, "step_ms"))) ? 1 : -1;
        v[C_LAST] = adaptation[index] >= adaptation[STEPS] ? 1 : -1; /* the last, or one before that is as good */
    }
    return status;
}

static void fig3c_case(struct study_run *run, int time, int l, double *deployed)
{
    const int at = (time * N_LAMBDA + l) * C_PER_CASE;
    const struct study_estimate end = study_mean(run, at + C_DEPLOYED + STEPS - 1);
    int broken = 0;
    for (int d = 0; d < study_n_drop(run); d++) {
        const int index = (int)study_at(run, d, at + C_INDEX);
        for (int n = 1; n < STEPS; n++) {
            const double rise = study_at(run, d, at + n) - study_at(run, d, at + n - 1);
            broken += rise < 0 || (n >= index && rise != 0);
        }
    }
    study_check(run, broken == 0, broken, "T_des=%g, lambda_rec=%g: the best score never falls and is flat once chosen",
                T_DES_MS[time], LAMBDA_REC[l]);
    if (l == 0) {
        const double share = study_share(run, at + C_LAST);
        study_check(run, share >= 1, share,
                    "T_des=%g, lambda_rec=0: the last iterate (or an equal one) is chosen in every drop",
                    T_DES_MS[time]);
    } else {
        const double share = study_share(run, at + C_IN_TIME);
        if (T_DES_MS[time] >= 10 && !study_is_quick(run)) {
            study_check(
                run, share >= 0.8, share,
                "T_des=%g, lambda_rec=%g: the last iterate in time is chosen in %.1f %% of drops, at least 80 %%",
                T_DES_MS[time], LAMBDA_REC[l], 100 * share);
        }
        study_check(run, end.mean <= *deployed + 1e-9, end.mean,
                    "T_des=%g: what is deployed falls with lambda_rec (%.4f at %g)", T_DES_MS[time], end.mean,
                    LAMBDA_REC[l]);
    }
    *deployed = end.mean;
}

static void fig3c_panels(struct study_run *run, int time)
{
    char name[96];
    for (int what = 0; what < 2; what++) {
        snprintf(name, sizeof name, "%s, T_{des}=%g ms",
                 what ? "1 - gap of the best-scored iterate" : "best score so far", T_DES_MS[time]);
        study_panel(run, name, "ms (scripted)", what ? "1 - gap" : "score");
        for (int l = 0; l < N_LAMBDA; l++) {
            const int at = (time * N_LAMBDA + l) * C_PER_CASE + (what ? C_DEPLOYED : C_BEST);
            snprintf(name, sizeof name, "lambda %g/%g", lambda_ada(l), LAMBDA_REC[l]);
            study_series(run, name, false);
            for (int n = 1; n <= STEPS; n++) {
                study_point(run, n * study_value(run, "step_ms"), study_mean(run, at + n - 1));
            }
        }
    }
}

static void fig3c_histogram(struct study_run *run, int time)
{
    char name[64];
    snprintf(name, sizeof name, "which iterate is chosen, T_{des}=%g ms", T_DES_MS[time]);
    study_panel(run, name, "iterate", "share of drops");
    for (int l = 0; l < N_LAMBDA; l++) {
        const int at = (time * N_LAMBDA + l) * C_PER_CASE + C_INDEX;
        snprintf(name, sizeof name, "lambda %g/%g", lambda_ada(l), LAMBDA_REC[l]);
        study_series(run, name, false);
        for (int n = 1; n <= STEPS; n++) {
            int count = 0;
            for (int d = 0; d < study_n_drop(run); d++) {
                count += (int)study_at(run, d, at) == n;
            }
            const double share = (double)count / study_n_drop(run);
            study_point(
                run, n,
                (struct study_estimate){share, sqrt(share * (1 - share) / study_n_drop(run)), study_n_drop(run)});
        }
    }
}

static void fig3c_evaluate(struct study_run *run)
{
    for (int time = 0; time < N_TIME; time++) {
        double deployed = INFINITY;
        fig3c_panels(run, time);
        fig3c_histogram(run, time);
        for (int l = 0; l < N_LAMBDA; l++) {
            fig3c_case(run, time, l, &deployed);
        }
    }
    const int at = 2 * N_LAMBDA * C_PER_CASE; /* T_des = 20 ms */
    const double score_0 = study_mean(run, at + STEPS - 1).mean,
                 score_8 = study_mean(run, at + 3 * C_PER_CASE + STEPS - 1).mean;
    study_note(
        run,
        "the paper says that time-sensitive curves end significantly lower: with T_des >= the first iterate's time the "
        "opposite holds for the score (%.3f at lambda_rec=0.8 against %.3f at 0); only the deployed 1 - gap is lower "
        "(%.3f against %.3f). It needs T_des shorter than one iteration (T_des = 5 ms)",
        score_8, score_0, study_mean(run, at + 3 * C_PER_CASE + C_DEPLOYED + STEPS - 1).mean,
        study_mean(run, at + C_DEPLOYED + STEPS - 1).mean);
}

static const char *const CAVEATS[] = {"all numeric parameters of this paper's simulation except 0.1 km and the weights "
                                      "of Fig. 3(c) are lost; levels are ours",
                                      "with these closed forms artificial noise cannot improve the optimum for two "
                                      "users or more: curves with and without it coincide; "
                                      "the paper credits it with a gain",
                                      "where a solve takes less than a block every iterate is in time and all lambdas "
                                      "deploy the same powers: the trade-off exists "
                                      "only for slow solvers (scripted clock)",
                                      NULL};
static const char *const A_CHECKS[] = {"the gap rises in no step",
                                       "OPA over EPA+AN by more than 5 paired standard errors",
                                       "99 % of the 12 steps' gain by n=3 in at least 55 % of drops",
                                       "|OPA - OPA no AN| at most 2e-3 in every drop",
                                       "curves start in the order of w_sec and end within 0.2 of each other",
                                       "means at n = 0, 1, 2, 3, 5, 12 within 4 standard errors of another program's",
                                       NULL};
static const char *const B_CHECKS[] = {"lambda_rec=0 never falls; the others fall at the first time beyond T_des",
                                       "the score in the long run falls with lambda_rec",
                                       "means within 4 standard errors of another program's", NULL};
static const char *const C_CHECKS[] = {"chosen iterate = last in time in at least 80 % of drops for T_des >= 10 ms",
                                       "best score flat once chosen; lambda_rec=0 chooses the last",
                                       "deployed 1 - gap falls with lambda_rec", NULL};

#define TRACE_STUDY(label, figure, words, values, drops, quick, function, list)                                        \
    {                                                                                                                  \
        .name = label, .item = figure, .summary = words, .duration = 'M', .n_drop = drops, .n_quick = quick,           \
        .n_value = values, .parameters = PARAMETERS, .caveats = CAVEATS, .checks = list, PPZF_STUDY,                   \
        .drop = function##_drop, .evaluate = function##_evaluate                                                       \
    }

const struct study STUDY_PPZF_FIG3A =
    TRACE_STUDY("ppzf-fig3a", "Resilient CF, Fig. 3(a)", "adaptation against iteration and time", A_VALUES, 200, 10,
                fig3a, A_CHECKS);
const struct study STUDY_PPZF_FIG3B = TRACE_STUDY("ppzf-fig3b", "Resilient CF, Fig. 3(b)",
                                                  "resilience score against time", B_VALUES, 200, 20, fig3b, B_CHECKS);
const struct study STUDY_PPZF_FIG3C =
    TRACE_STUDY("ppzf-fig3c", "Resilient CF, Fig. 3(c)", "best score and what it deploys", N_TIME *N_LAMBDA *C_PER_CASE,
                200, 20, fig3c, C_CHECKS);
