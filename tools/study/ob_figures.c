/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min optimum beamforming, the paper's two figures: distribution of users' net throughput, and its dependence on
 * the length of the uplink pilots. */
#include "tools/study/figure.h"
#include "tools/study/ob_worker.h"

#include <math.h>
#include <stdio.h>

static const double MBIT = 1e-6;
static const char *const METRIC_NAMES[OB_N_METRIC] = {"genie", "metric (8)"};

/* All precoders for this drop's pilots: throughput of every user in Mbit/s, out [OB_N_SCHEME][OB_N_METRIC][users]; the
 * mean peak of ZF with powers on large scale. */
static void schemes(struct ob_worker *w, const struct study_run *run, uint64_t drop, double *out, double *peak)
{
    const double tau_c = study_value(run, "tau_c");
    ob_worker_power_cb(w, 1e-3);
    ob_worker_power_zf(w, run, drop, (int)study_value(run, "lsf_realisations"));
    ob_worker_realise(w, run, drop, 0);
    for (int s = 0; s < OB_N_SCHEME; s++) {
        ob_worker_solve(w, (enum ob_scheme)s);
        if (s == OB_ZF_LSF) {
            *peak = ob_worker_peak(w);
        }
        for (int metric = 0; metric < OB_N_METRIC; metric++) {
            double *const at = out + (s * OB_N_METRIC + metric) * OB_MOST_UE;
            ob_worker_throughput(w, run, drop, (enum ob_metric)metric, tau_c, at);
            for (int k = 0; k < OB_MOST_UE; k++) {
                at[k] *= MBIT;
            }
        }
    }
}

/* Fig. 1 ----------------------------------------------------------------------------------------------------------- */

enum { N_CASE = 4, USERS = OB_N_SCHEME * OB_N_METRIC * OB_MOST_UE, F1_PEAK = N_CASE * USERS };
enum { F1_CLOSED = F1_PEAK + N_CASE, F1_HANDED = F1_CLOSED + N_CASE, F1_VALUES = F1_HANDED + N_CASE };
static const struct {
    int tau_u;
    bool weak; /* pilots of weak_pilot_dbm instead of pilot_dbm */
} CASES[N_CASE] = {{40, false}, {20, false}, {40, true}, {20, true}};

static double pilot_dbm(const struct study_run *run, int i)
{
    return study_value(run, CASES[i].weak ? "weak_pilot_dbm" : "pilot_dbm");
}

static int fig1_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct ob_worker *const w = worker;
    const int status = ob_worker_draw(w, run, drop, (int)study_value(run, "n_ap"), (int)study_value(run, "n_ue"));
    for (int i = 0; i < N_CASE && !status; i++) {
        w->n_handed_over = 0;
        ob_worker_pilots(w, run, drop, CASES[i].tau_u, pilot_dbm(run, i));
        schemes(w, run, drop, values + i * USERS, &values[F1_PEAK + i]);
        values[F1_CLOSED + i] = MBIT * ob_worker_net(w, run, study_value(run, "tau_c"), w->cb_sinr);
        values[F1_HANDED + i] = w->n_handed_over;
    }
    return status;
}

static struct figure_columns users(int i, enum ob_scheme scheme, enum ob_metric metric)
{
    return (struct figure_columns){i * USERS + ((int)scheme * OB_N_METRIC + (int)metric) * OB_MOST_UE, OB_MOST_UE};
}

static struct study_estimate five(const struct study_run *run, int i, enum ob_scheme scheme, enum ob_metric metric)
{
    return figure_quantile(run, users(i, scheme, metric), 0.05);
}

static void fig1_panels(struct study_run *run)
{
    char text[96];
    for (int i = 0; i < N_CASE; i++) {
        for (int metric = 0; metric < OB_N_METRIC; metric++) {
            snprintf(text, sizeof text, "tau_u = %d, pilots %g dBm, %s", CASES[i].tau_u, pilot_dbm(run, i),
                     METRIC_NAMES[metric]);
            study_panel(run, text, "net throughput of a user, Mbit/s", "share of users below");
            for (int s = 0; s < OB_N_SCHEME; s++) {
                figure_distribution(run, OB_SCHEME_NAMES[s], users(i, (enum ob_scheme)s, (enum ob_metric)metric));
            }
        }
    }
    study_panel(run, "5 % points", "1, 2: tau_u 40, 20; 3, 4: the same with weak pilots", "Mbit/s");
    for (int s = 0; s < OB_N_SCHEME; s++) {
        for (int metric = 0; metric < OB_N_METRIC; metric++) {
            snprintf(text, sizeof text, "%s, %s", OB_SCHEME_NAMES[s], METRIC_NAMES[metric]);
            study_series(run, text, false);
            for (int i = 0; i < N_CASE; i++) {
                study_point(run, i + 1, five(run, i, (enum ob_scheme)s, (enum ob_metric)metric));
            }
        }
    }
}

/* At every percentile, pilots of pilot_dbm, true effective channel. */
static void check_order(struct study_run *run, int i)
{
    double least = INFINITY;
    for (int percent = 1; percent < 100; percent++) {
        const double zf = figure_quantile(run, users(i, OB_ZF_INST, OB_GENIE), percent / 100.0).mean;
        least = fmin(least, figure_quantile(run, users(i, OB_OB, OB_GENIE), percent / 100.0).mean / zf);
    }
    study_check(run, least >= 0.99, least,
                "tau_u %d: OB over ZF per realisation, least of the percentiles: %.3f >= 0.99", CASES[i].tau_u, least);
}

static void fig1_references(struct study_run *run)
{
    static const struct {
        int i;
        enum ob_metric metric;
        double ob, zf, lsf, cb, cb_se;
    } WANT[] = {{0, OB_GENIE, 49.0, 43.2, 45.6, 10.4, 0.2}, {0, OB_ESTIMATED, 42.9, NAN, 36.4, 9.6, 0.2},
                {1, OB_GENIE, 30.1, 16.6, 18.0, 9.3, 0.3},  {1, OB_ESTIMATED, 27.6, NAN, 12.9, 8.8, 0.3},
                {2, OB_GENIE, 28.0, 25.6, 26.8, 8.6, 0.2},  {2, OB_ESTIMATED, 26.4, 22.3, 24.0, 8.1, 0.2},
                {3, OB_GENIE, 22.1, 8.3, 13.5, 7.9, 0.2},   {3, OB_ESTIMATED, 21.2, 6.3, 11.6, 7.4, 0.2}};
    for (size_t n = 0; n < sizeof WANT / sizeof *WANT; n++) {
        const double want[OB_N_SCHEME] = {WANT[n].ob, WANT[n].zf, WANT[n].lsf, WANT[n].cb};
        for (int s = 0; s < OB_N_SCHEME; s++) {
            const struct study_estimate found = five(run, WANT[n].i, (enum ob_scheme)s, WANT[n].metric);
            char what[128];
            snprintf(what, sizeof what, "5 %% point, tau_u %d, pilots %g dBm, %s, %s", CASES[WANT[n].i].tau_u,
                     pilot_dbm(run, WANT[n].i), METRIC_NAMES[WANT[n].metric], OB_SCHEME_NAMES[s]);
            if (s == OB_CB) {
                figure_check_near(run, found, want[s], WANT[n].cb_se, "%s", what);
            } else if (!isnan(want[s])) {
                figure_check_near(run, found, want[s], figure_reference_se(found, 20), "%s", what);
            }
        }
    }
}

static void fig1_evaluate(struct study_run *run)
{
    static const double CLOSED[N_CASE] = {14.1, 14.1, 13.2, 13.0};
    const double ob = five(run, 0, OB_OB, OB_GENIE).mean, zf = five(run, 0, OB_ZF_INST, OB_GENIE).mean,
                 cb = five(run, 0, OB_CB, OB_GENIE).mean;
    const double cb_kept = five(run, 1, OB_CB, OB_GENIE).mean / cb;
    const double ob_kept = five(run, 1, OB_OB, OB_GENIE).mean / ob,
                 zf_kept = five(run, 1, OB_ZF_INST, OB_GENIE).mean / zf;
    fig1_panels(run);
    check_order(run, 0);
    check_order(run, 1);
    study_check(run, zf > cb, zf - cb, "tau_u 40: ZF over CB at 5 %%: %.2f > 0 Mbit/s", zf - cb);
    if (!study_is_quick(run)) {
        study_check(run, ob / zf >= 1.05 && ob / zf <= 1.7, ob / zf, "tau_u 40: OB/ZF at 5 %% in [1.05, 1.7]: %.3f",
                    ob / zf);
        study_check(run, fabs(cb_kept - 1) < 0.2, cb_kept, "tau_u 40 to 20: CB changes by less than 20 %%: %.3f",
                    cb_kept);
    }
    study_check(run, ob_kept < 0.8, ob_kept, "tau_u 40 to 20: OB loses more than 20 %%: %.3f", ob_kept);
    study_check(run, zf_kept < 0.8, zf_kept, "tau_u 40 to 20: ZF loses more than 20 %%: %.3f", zf_kept);
    if (study_value(run, "pilots_random") == 0) {
        fig1_references(run);
    }
    for (int i = 0; i < N_CASE; i++) {
        const struct study_estimate closed = study_mean(run, F1_CLOSED + i), peak = study_mean(run, F1_PEAK + i);
        figure_check_near(run, closed, CLOSED[i], figure_reference_se(closed, 40),
                          "CB's closed form, tau_u %d, pilots %g dBm", CASES[i].tau_u, pilot_dbm(run, i));
        study_note(run,
                   "tau_u %d, pilots %g dBm: ZF with powers on large scale exceeds its budgets, mean peak %.2f(%.2f); "
                   "zero-forcing near singular and regularised in %.2g realisations of a drop; CB by its closed form "
                   "%.1f Mbit/s",
                   CASES[i].tau_u, pilot_dbm(run, i), peak.mean, peak.se, study_mean(run, F1_HANDED + i).mean,
                   closed.mean);
    }
}

/* Fig. 2 ----------------------------------------------------------------------------------------------------------- */

enum { N_LENGTH = 10, F2_MEAN = 0, F2_LEAST, F2_KINDS };
static const int LENGTHS[N_LENGTH] = {5, 10, 15, 20, 30, 40, 50, 60, 80, 100};

static int column(int kind, int scheme, int metric, int length)
{
    return ((kind * OB_N_SCHEME + scheme) * OB_N_METRIC + metric) * N_LENGTH + length;
}

static int fig2_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct ob_worker *const w = worker;
    const int n_ue = (int)study_value(run, "n_ue");
    const int status = ob_worker_draw(w, run, drop, (int)study_value(run, "n_ap"), n_ue);
    for (int i = 0; i < N_LENGTH && !status; i++) {
        double all[USERS], peak;
        ob_worker_pilots(w, run, drop, LENGTHS[i], study_value(run, "pilot_dbm"));
        schemes(w, run, drop, all, &peak);
        for (int s = 0; s < OB_N_SCHEME; s++) {
            for (int metric = 0; metric < OB_N_METRIC; metric++) {
                const double *const at = all + (s * OB_N_METRIC + metric) * OB_MOST_UE;
                double sum = 0, least = INFINITY;
                for (int k = 0; k < n_ue; k++) {
                    sum += at[k];
                    least = fmin(least, at[k]);
                }
                values[column(F2_MEAN, s, metric, i)] = sum / n_ue;
                values[column(F2_LEAST, s, metric, i)] = least;
            }
        }
    }
    return status;
}

static double mean_at(const struct study_run *run, enum ob_scheme scheme, int i)
{
    return study_mean(run, column(F2_MEAN, (int)scheme, OB_GENIE, i)).mean;
}

static int peak_of(const struct study_run *run, enum ob_scheme scheme)
{
    int best = 0;
    for (int i = 1; i < N_LENGTH; i++) {
        best = mean_at(run, scheme, i) > mean_at(run, scheme, best) ? i : best;
    }
    return LENGTHS[best];
}

static void fig2_panels(struct study_run *run)
{
    static const char *const KINDS[F2_KINDS] = {"mean of the users", "least user"};
    for (int kind = 0; kind < F2_KINDS; kind++) {
        for (int metric = 0; metric < OB_N_METRIC; metric++) {
            char text[64];
            snprintf(text, sizeof text, "%s, %s", KINDS[kind], METRIC_NAMES[metric]);
            study_panel(run, text, "tau_u, samples", "net throughput, Mbit/s");
            for (int s = 0; s < OB_N_SCHEME; s++) {
                study_series(run, OB_SCHEME_NAMES[s], false);
                for (int i = 0; i < N_LENGTH; i++) {
                    study_point(run, LENGTHS[i], study_mean(run, column(kind, s, metric, i)));
                }
            }
        }
    }
}

static void fig2_references(struct study_run *run)
{
    static const double OB[] = {NAN, 26.6, NAN, 36.7, 40.3, 48.3, NAN, 46.7, 43.9, NAN},
                        ZF[] = {NAN, 19.7, NAN, 27.8, 27.8, 42.5, NAN, 40.3, 36.1, NAN},
                        CB[] = {15.9, 17.6, 17.8, 17.7, 17.4, 16.8, 16.0, 15.7, 13.8, 12.3},
                        CB_SE[] = {0.3, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1},
                        CB_LEAST[] = {3.2, 5.6, 5.6, 7.1, 7.3, 7.9, 7.4, 7.3, 6.3, 5.5};
    for (int i = 0; i < N_LENGTH; i++) {
        const struct study_estimate ob = study_mean(run, column(F2_MEAN, OB_OB, OB_GENIE, i)),
                                    zf = study_mean(run, column(F2_MEAN, OB_ZF_INST, OB_GENIE, i)),
                                    cb = study_mean(run, column(F2_MEAN, OB_CB, OB_GENIE, i)),
                                    least = study_mean(run, column(F2_LEAST, OB_CB, OB_GENIE, i));
        if (!isnan(OB[i])) {
            figure_check_near(run, ob, OB[i], figure_reference_se(ob, 10), "OB, mean, tau_u %d", LENGTHS[i]);
            figure_check_near(run, zf, ZF[i], figure_reference_se(zf, 10), "ZF, mean, tau_u %d", LENGTHS[i]);
        }
        figure_check_near(run, cb, CB[i], CB_SE[i], "CB, mean, tau_u %d", LENGTHS[i]);
        figure_check_near(run, least, CB_LEAST[i], figure_reference_se(least, 20), "CB, least user, tau_u %d",
                          LENGTHS[i]);
    }
}

static void fig2_evaluate(struct study_run *run)
{
    fig2_panels(run);
    for (int i = 0; i < N_LENGTH; i++) {
        const double lead = mean_at(run, OB_OB, i) - mean_at(run, OB_ZF_INST, i);
        study_check(run, lead >= 0, lead, "OB not below ZF at tau_u %d: %.2f >= 0 Mbit/s", LENGTHS[i], lead);
    }
    if (!study_is_quick(run)) {
        const int ob = peak_of(run, OB_OB), zf = peak_of(run, OB_ZF_INST), cb = peak_of(run, OB_CB);
        study_check(run, ob == 40, ob, "OB peaks at tau_u 40: %d", ob);
        study_check(run, zf == 40, zf, "ZF peaks at tau_u 40: %d", zf);
        study_check(run, cb < ob && cb < zf && cb >= 10 && cb <= 20, cb, "CB peaks at 10 to 20, before OB and ZF: %d",
                    cb);
    }
    const struct study_estimate fall =
        study_paired(run, column(F2_MEAN, OB_CB, OB_GENIE, 3), column(F2_MEAN, OB_CB, OB_GENIE, 7));
    study_check(run, fall.mean > 0, fall.mean, "CB falls from tau_u 20 to 60: by %.2f > 0 Mbit/s", fall.mean);
    if (study_value(run, "pilots_random") == 0) {
        fig2_references(run);
    }
}

static const struct study_parameter FIG1_PARAMETERS[] = {
    OB_PARAMETERS,
    {"pilot_dbm", 23, 'T', "uplink pilots, as far as the text shows"},
    {"weak_pilot_dbm", 10, 'I', "see the first caveat"},
    {"tau_c", 400, 'T', "coherence interval, samples"},
    {"lsf_realisations", 40, 'A', "per drop, of the means that ZF's powers on large scale come from"},
    {NULL, 0, 0, NULL}};
static const struct study_parameter FIG2_PARAMETERS[] = {
    OB_PARAMETERS,
    {"pilot_dbm", 23, 'T', "uplink pilots, as far as the text shows; at 10 dBm OB and ZF peak near 60"},
    {"tau_c", 300, 'T', "coherence interval, samples"},
    {"lsf_realisations", 10, 'A', "per drop, of the means that ZF's powers on large scale come from"},
    {NULL, 0, 0, NULL}};

static const char *const FIG1_CAVEATS[] = {OB_CAVEAT_LOST, OB_CAVEAT_ZF, OB_CAVEAT_TIMES,
                                           "No order is checked between OB and ZF with powers on large scale: the "
                                           "latter breaks its budgets in single realisations.",
                                           NULL};
static const char *const FIG2_CAVEATS[] = {OB_CAVEAT_LOST, OB_CAVEAT_ZF, OB_CAVEAT_TIMES, NULL};
static const char *const FIG1_CHECKS[] = {
    "OB >= ZF per realisation at every percentile (1 %), tau_u 40 and 20, genie, strong pilots",
    "tau_u 40: OB/ZF at 5 % in [1.05, 1.7], ZF > CB",
    "from tau_u 40 to 20 CB changes by less than 20 %, OB and ZF lose more",
    "5 % points of all schemes, both metrics, and CB's closed form within 4 standard errors of the reference", NULL};
static const char *const FIG2_CHECKS[] = {
    "OB and ZF peak at tau_u 40, CB at 10 to 20; CB falls from 20 to 60", "OB >= ZF at every tau_u",
    "means, and CB's least user, within 4 standard errors of the reference", NULL};

const struct study STUDY_OB_FIG1 = {.name = "ob-fig1",
                                    .item = "Max-min optimum, Fig. 1",
                                    .summary = "distribution of users' net throughput: OB, ZF, CB",
                                    .duration = 'M',
                                    .n_drop = 200,
                                    .n_quick = 2,
                                    .n_value = F1_VALUES,
                                    .parameters = FIG1_PARAMETERS,
                                    .caveats = FIG1_CAVEATS,
                                    .checks = FIG1_CHECKS,
                                    OB_STUDY,
                                    .drop = fig1_drop,
                                    .evaluate = fig1_evaluate};

const struct study STUDY_OB_FIG2 = {.name = "ob-fig2",
                                    .item = "Max-min optimum, Fig. 2",
                                    .summary = "mean and least net throughput against the uplink pilots' length",
                                    .duration = 'L',
                                    .n_drop = 50,
                                    .n_quick = 1,
                                    .n_value = F2_KINDS * OB_N_SCHEME * OB_N_METRIC * N_LENGTH,
                                    .parameters = FIG2_PARAMETERS,
                                    .caveats = FIG2_CAVEATS,
                                    .checks = FIG2_CHECKS,
                                    OB_STUDY,
                                    .drop = fig2_drop,
                                    .evaluate = fig2_evaluate};
