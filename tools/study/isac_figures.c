/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrecy of communication and sensing: its distribution over drops and users, and against the MASR asked for. */
#include "base/error.h"
#include "tools/study/figure.h"
#include "tools/study/isac_worker.h"

#include <math.h>
#include <stdio.h>

/* What both figures compare. */
enum scheme { CP, SP, SP15, EQUAL_CP, EQUAL_RANDOM, N_SCHEME };
static const char *const NAMES[N_SCHEME] = {"CP", "SP, qos 4 dB", "SP, qos 15", "equal power, modes of CP",
                                            "equal power, random half"};

static void leave_empty(double *values, int n)
{
    for (int i = 0; i < n; i++) {
        values[i] = (double)NAN;
    }
}

/* Modes and powers of a scheme at a MASR; rates of them are in the worker afterwards. d (NULL allowed): CP's or SP's
 * decision. False when infeasible. EQUAL_CP has the modes that the worker holds. */
static bool decide(struct isac_worker *w, const struct study_run *run, uint64_t drop, enum scheme scheme,
                   double kappa_db, struct isac_decision *d)
{
    const struct isac_limits limits = isac_limits_of(run, kappa_db, scheme == SP15 ? 15 : ISAC_QOS_4_DB);
    if (scheme >= EQUAL_CP) {
        if (scheme == EQUAL_RANDOM) {
            isac_worker_random_half(w, run, drop);
        }
        isac_average_power(&w->scene, w->mode, w->eta_c, w->eta_s);
        isac_worker_rates(w, run);
        return true;
    }
    *d = isac_worker_decide(w, run, scheme == CP ? ISAC_CP : ISAC_SP, ISAC_PREFIXES, &limits);
    return d->solution.verdict == ISAC_FEASIBLE;
}

static double mean_secrecy(const struct isac_worker *w)
{
    double sum = 0;
    for (int k = 0; k < w->scene.n_ue; k++) {
        sum += w->secrecy[k];
    }
    return sum / w->scene.n_ue;
}

static void check_median(struct study_run *run, int column, double low, double high, const char *what)
{
    const struct study_estimate m = figure_quantile(run, (struct figure_columns){column, 1}, 0.5);
    study_check(run, study_is_quick(run) || (m.mean >= low && m.mean <= high), m.mean,
                "%s: median %.4f (bootstrap s.e. %.4f) in [%.4f, %.4f]", what, m.mean, m.se, low, high);
}

/* Fig. 4 ----------------------------------------------------------------------------------------------------------- */

/* Means over a drop's users, then single users. STREAM: Eve wants one stream. PLAIN: no pre-log. */
enum { MEAN, STREAM = MEAN + N_SCHEME, PLAIN, BOUND, VALUE, SINGLE, MOST_USERS = 8 };
enum { N_FIG4 = SINGLE + N_SCHEME * MOST_USERS };
static const int USERS[] = {8, 4};

static void fig4_schemes(struct isac_worker *w, const struct study_run *run, uint64_t drop, double *v)
{
    struct isac_decision d;
    bool feasible = false;
    static const int ORDER[N_SCHEME] = {CP, EQUAL_CP, EQUAL_RANDOM, SP, SP15}; /* EQUAL_CP takes CP's modes over */
    for (int i = 0; i < N_SCHEME; i++) {
        const int scheme = ORDER[i];
        if ((scheme == EQUAL_CP && !feasible) ||
            !(feasible = decide(w, run, drop, (enum scheme)scheme, study_value(run, "kappa_db"), &d))) {
            continue;
        }
        v[MEAN + scheme] = mean_secrecy(w);
        for (int k = 0; k < w->scene.n_ue; k++) {
            v[SINGLE + scheme * MOST_USERS + k] = w->secrecy[k];
        }
        if (scheme == CP) {
            v[STREAM] = isac_worker_stream_secrecy(w, run);
            v[PLAIN] = v[MEAN + CP] / isac_worker_prelog(w, run);
            v[BOUND] = d.bound;
            v[VALUE] = d.solution.objective;
        }
    }
}

/* The workspaces are those of n_ue users. */
static int fig4_open(const struct study_run *run, void **worker)
{
    if (study_value(run, "n_ue") != MOST_USERS) {
        *worker = NULL;
        return error_set(TUTTI_EINVAL, "study: isac-fig4 computes 8 and 4 users: leave n_ue at %d", MOST_USERS);
    }
    return isac_worker_open(run, worker);
}

static int fig4_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_sizes sizes = isac_sizes(run);
    int status = 0;
    leave_empty(values, 2 * N_FIG4);
    for (int i = 0; i < 2 && !status; i++) {
        sizes.n_ue = USERS[i];
        status = isac_worker_draw(worker, run, drop, sizes);
        if (!status) {
            fig4_schemes(worker, run, drop, values + i * N_FIG4);
        }
    }
    return status;
}

static void fig4_distributions(struct study_run *run, int first, int n_ue)
{
    char title[64];
    snprintf(title, sizeof title, "K = %d, mean of a drop's users", n_ue);
    study_panel(run, title, "secrecy, bit/s/Hz", "share of drops below");
    for (int s = 0; s < N_SCHEME; s++) {
        figure_distribution(run, NAMES[s], (struct figure_columns){first + MEAN + s, 1});
    }
    figure_distribution(run, "CP, Eve wants one stream", (struct figure_columns){first + STREAM, 1});
    figure_distribution(run, "CP without pre-log", (struct figure_columns){first + PLAIN, 1});
    snprintf(title, sizeof title, "K = %d, single users", n_ue);
    study_panel(run, title, "secrecy, bit/s/Hz", "share of users below");
    for (int s = 0; s < N_SCHEME; s++) {
        figure_distribution(run, NAMES[s], (struct figure_columns){first + SINGLE + s * MOST_USERS, n_ue});
    }
}

static void fig4_tell(struct study_run *run, int first, int n_ue)
{
    for (int s = 0; s < BOUND; s++) {
        const struct study_estimate m = figure_quantile(run, (struct figure_columns){first + s, 1}, 0.5);
        const struct study_estimate low = figure_quantile(run, (struct figure_columns){first + s, 1}, 0.05);
        const struct study_estimate high = figure_quantile(run, (struct figure_columns){first + s, 1}, 0.95);
        study_note(run, "K=%d, %s: median %.3f (%.3f), 5 %% %.3f (%.3f), 95 %% %.3f (%.3f), %d drops", n_ue,
                   s < N_SCHEME  ? NAMES[s]
                   : s == STREAM ? "CP, Eve wants one stream"
                                 : "CP without pre-log",
                   m.mean, m.se, low.mean, low.se, high.mean, high.se, study_mean(run, first + s).n);
    }
}

static void fig4_check_bound(struct study_run *run, int first, int n_ue)
{
    int above = 0, n_feasible = 0;
    for (int drop = 0; drop < study_n_drop(run); drop++) {
        const double bound = study_at(run, drop, first + BOUND);
        above += study_at(run, drop, first + VALUE) > bound * (1 + 1e-4);
        n_feasible += !isnan(bound);
    }
    study_check(run, above == 0, above, "K=%d: drops whose CP value is above its bound: %d of %d, none allowed", n_ue,
                above, n_feasible);
    study_note(run, "K=%d: CP infeasible in %d of %d drops", n_ue, study_n_drop(run) - n_feasible, study_n_drop(run));
}

static void fig4_evaluate(struct study_run *run)
{
    static const double WANT[2][4] = {{3.93, 4.03, 1.7216, 3.78}, {4.80, 4.98, 1.7579, 3.88}};
    for (int i = 0; i < 2; i++) {
        const int first = i * N_FIG4, n_ue = USERS[i];
        char what[64];
        fig4_distributions(run, first, n_ue);
        snprintf(what, sizeof what, "CP, K=%d", n_ue);
        check_median(run, first + CP, WANT[i][0], WANT[i][1], what);
        snprintf(what, sizeof what, "SP, qos 4 dB, K=%d", n_ue);
        check_median(run, first + SP, WANT[i][2] - 0.005, WANT[i][2] + 0.005, what);
        snprintf(what, sizeof what, "SP, qos 15, K=%d", n_ue);
        check_median(run, first + SP15, WANT[i][3] - 0.02, WANT[i][3] + 0.02, what);
        struct study_estimate lead = {INFINITY, 0, 0};
        for (int s = EQUAL_CP; s <= EQUAL_RANDOM; s++) {
            const struct study_estimate one = figure_quantile_paired(run, (struct figure_columns){first + CP, 1},
                                                                     (struct figure_columns){first + s, 1}, 0.5);
            lead = one.mean < lead.mean ? one : lead;
        }
        study_check(run, study_is_quick(run) || lead.mean >= 1.5, lead.mean,
                    "K=%d: CP's median %.2f (%.2f) above the better baseline's, at least 1.5", n_ue, lead.mean,
                    lead.se);
        fig4_check_bound(run, first, n_ue);
        fig4_tell(run, first, n_ue);
    }
}

static const struct study_parameter FIG4_PARAMETERS[] = {ISAC_PARAMETERS,
                                                         {"n_ap", 32, 'T', "M"},
                                                         {"n_ue", MOST_USERS, 'A', "largest K; not changed by --set"},
                                                         {"n_zone", 2, 'T', "L"},
                                                         {NULL, 0, 0, NULL}};
static const char *const FIG4_CHECKS[] = {"CP's median: K=8 in [3.93, 4.03], K=4 in [4.80, 4.98]",
                                          "SP's median 1.7216, 1.7579 (0.005); with qos 15 3.78, 3.88 (0.02)",
                                          "CP's median above the baselines' by 1.5; no value above its bound", NULL};

const struct study STUDY_ISAC_FIG4 = {.name = "isac-fig4",
                                      .item = "ISAC, Fig. 4",
                                      .summary = "distribution of secrecy: CP, SP, equal power; K = 8 and 4",
                                      .duration = 'L',
                                      .n_drop = 100,
                                      .n_quick = 1,
                                      .n_value = 2 * N_FIG4,
                                      .parameters = FIG4_PARAMETERS,
                                      .caveats = ISAC_CAVEATS,
                                      .checks = FIG4_CHECKS,
                                      .counterpart = ISAC_COUNTERPART,
                                      .open = fig4_open,
                                      .close = isac_worker_close,
                                      .drop = fig4_drop,
                                      .evaluate = fig4_evaluate};

/* Fig. 3 ----------------------------------------------------------------------------------------------------------- */

/* Per kappa; paired: NAN unless CP is feasible at every kappa. */
enum { F3_SECRECY, F3_BOUND = N_SCHEME, F3_EVE, F3_LOST, F3_LOST15, F3_PAIRED, F3_PAIRED_RATE, N_FIG3, N_KAPPA = 6 };

static void fig3_at(struct isac_worker *w, const struct study_run *run, uint64_t drop, double kappa_db, double *v)
{
    struct isac_decision d;
    const bool feasible = decide(w, run, drop, CP, kappa_db, &d);
    v[F3_LOST] = !feasible;
    if (feasible) {
        v[F3_SECRECY + CP] = v[F3_PAIRED] = mean_secrecy(w);
        v[F3_BOUND] = d.bound;
        v[F3_EVE] = w->rate_eve;
        v[F3_PAIRED_RATE] = isac_worker_mean_rate(w);
        decide(w, run, drop, EQUAL_CP, kappa_db, NULL);
        v[F3_SECRECY + EQUAL_CP] = mean_secrecy(w);
    }
    decide(w, run, drop, EQUAL_RANDOM, kappa_db, NULL);
    v[F3_SECRECY + EQUAL_RANDOM] = mean_secrecy(w);
    v[F3_LOST15] = 1;
    for (int s = SP; s <= SP15; s++) {
        if (decide(w, run, drop, (enum scheme)s, kappa_db, &d)) {
            v[F3_SECRECY + s] = mean_secrecy(w);
            v[F3_LOST15] = s == SP15 ? 0 : v[F3_LOST15];
        }
    }
}

static int fig3_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_worker *const w = worker;
    const int status = isac_worker_draw(w, run, drop, isac_sizes(run));
    bool everywhere = true;
    leave_empty(values, N_KAPPA * N_FIG3);
    for (int i = 0; i < N_KAPPA && !status; i++) {
        fig3_at(w, run, drop, 2 * i, values + i * N_FIG3);
        everywhere = everywhere && values[i * N_FIG3 + F3_LOST] == 0;
    }
    for (int i = 0; i < N_KAPPA && !everywhere; i++) {
        values[i * N_FIG3 + F3_PAIRED] = values[i * N_FIG3 + F3_PAIRED_RATE] = (double)NAN;
    }
    return status;
}

static void fig3_curve(struct study_run *run, const char *name, int column, bool medians)
{
    study_series(run, name, false);
    for (int i = 0; i < N_KAPPA; i++) {
        const int at = i * N_FIG3 + column;
        study_point(run, 2 * i,
                    medians ? figure_quantile(run, (struct figure_columns){at, 1}, 0.5) : study_mean(run, at));
    }
}

/* Share of drops with its Wilson interval as an error: half its width over 1.96. */
static void fig3_lost(struct study_run *run, const char *name, int column)
{
    study_series(run, name, false);
    for (int i = 0; i < N_KAPPA; i++) {
        const struct study_estimate share = study_mean(run, i * N_FIG3 + column);
        const double n = share.n, p = share.mean, z = 1.96;
        const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
        study_point(run, 2 * i, (struct study_estimate){p, half / z, share.n});
    }
}

static void fig3_draw(struct study_run *run)
{
    study_panel(run, "medians over feasible drops", "kappa, dB", "mean secrecy of a drop's users, bit/s/Hz");
    for (int s = 0; s < N_SCHEME; s++) {
        fig3_curve(run, NAMES[s], F3_SECRECY + s, true);
    }
    study_panel(run, "CP, means over drops feasible at every kappa", "kappa, dB", "bit/s/Hz");
    fig3_curve(run, "secrecy", F3_PAIRED, false);
    fig3_curve(run, "users' rate", F3_PAIRED_RATE, false);
    study_panel(run, "infeasible (95 % Wilson)", "kappa, dB", "share of drops");
    fig3_lost(run, "CP and SP, qos 4 dB", F3_LOST);
    fig3_lost(run, "SP, qos 15", F3_LOST15);
}

static void fig3_evaluate(struct study_run *run)
{
    static const double WANT[N_KAPPA] = {3.98, 3.98, 4.01, 4.13, 4.18, 4.17};
    int rises = 0, loud = 0;
    const double prelog = 1 - (study_value(run, "n_ue") + study_value(run, "n_zone")) / study_value(run, "tau");
    fig3_draw(run);
    for (int i = 0; i < N_KAPPA; i++) {
        char what[48];
        const double most = prelog * log2(1 + fmin(study_value(run, "nu"), pow(10, -0.2 * i)));
        snprintf(what, sizeof what, "CP, kappa %d dB", 2 * i);
        check_median(run, i * N_FIG3 + CP, WANT[i] - 0.15, WANT[i] + 0.15, what);
        snprintf(what, sizeof what, "SP, kappa %d dB", 2 * i);
        check_median(run, i * N_FIG3 + SP, 1.7166, 1.7266, what);
        for (int d = 0; d < study_n_drop(run); d++) {
            const double bound = study_at(run, d, i * N_FIG3 + F3_BOUND);
            rises += i > 0 && bound > study_at(run, d, (i - 1) * N_FIG3 + F3_BOUND) * (1 + 1e-3);
            loud += study_at(run, d, i * N_FIG3 + F3_EVE) > most * (1 + 1e-4);
        }
        study_note(run,
                   "kappa %d dB: CP feasible in %d of %d drops; where it is at every kappa (%d drops): secrecy "
                   "%.3f, users' rate %.3f",
                   2 * i, study_mean(run, i * N_FIG3 + CP).n, study_n_drop(run),
                   study_mean(run, i * N_FIG3 + F3_PAIRED).n, study_mean(run, i * N_FIG3 + F3_PAIRED).mean,
                   study_mean(run, i * N_FIG3 + F3_PAIRED_RATE).mean);
    }
    const struct study_estimate change = study_paired(run, (N_KAPPA - 1) * N_FIG3 + F3_PAIRED, F3_PAIRED);
    study_note(run, "CP's secrecy, kappa 10 dB less 0 dB, paired: %+.3f (%.3f)", change.mean, change.se);
    study_check(run, rises == 0, rises, "bounds that rise with kappa: %d, none allowed", rises);
    study_check(run, loud == 0, loud, "Eve's rates above log2(1 + min(nu, 1/kappa)): %d, none allowed", loud);
}

static const struct study_parameter FIG3_PARAMETERS[] = {
    ISAC_PARAMETERS, {"n_ap", 32, 'T', "M"}, {"n_ue", 8, 'A', "K"}, {"n_zone", 2, 'T', "L"}, {NULL, 0, 0, NULL}};
static const char *const FIG3_CHECKS[] = {
    "CP's medians at 0, 2, .., 10 dB within 0.15 of 3.98 3.98 4.01 4.13 4.18 4.17", "SP 1.7216 (0.005) at every kappa",
    "the bound does not rise with kappa; Eve's rate keeps its limit", NULL};

const struct study STUDY_ISAC_FIG3 = {.name = "isac-fig3",
                                      .item = "ISAC, Fig. 3",
                                      .summary = "secrecy against kappa: CP, SP, equal power",
                                      .duration = 'L',
                                      .n_drop = 40,
                                      .n_quick = 1,
                                      .n_value = N_KAPPA * N_FIG3,
                                      .parameters = FIG3_PARAMETERS,
                                      .caveats = ISAC_CAVEATS,
                                      .checks = FIG3_CHECKS,
                                      .counterpart = ISAC_COUNTERPART,
                                      .open = isac_worker_open,
                                      .close = isac_worker_close,
                                      .drop = fig3_drop,
                                      .evaluate = fig3_evaluate};
