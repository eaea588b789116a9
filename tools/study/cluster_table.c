/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Spectral efficiencies of user-centric clusters in the network of [Demir 2021]: uplink and downlink, central and
 * local, whole and pruned clusters, against the published code of the book. */
#include "cluster/clusters.h"
#include "tools/study/cluster_schemes.h"
#include "tools/study/figure.h"

#include <math.h>
#include <stdio.h>

enum { MMSE_ALL, MMSE, PMMSE, PRZF, L_OPTIMAL, LP_NEIGHBOURS, LP_EQUAL, MR_NEIGHBOURS, N_UPLINK };
enum { DN_PMMSE, DN_PRZF, DN_LPMMSE, DN_MR, N_DOWNLINK };
enum { N_PRUNED = 4, N_PRUNED_DROPS = 12, N_ALL_DROPS = 10 };
enum { BEST_DB, SUM_DB, N_APS, N_NEAR, N_NETWORK };
/* Blocks of a row, [CLUSTER_MOST_UE] each. */
enum {
    AT_UPLINK,
    AT_HARDENING = AT_UPLINK + N_UPLINK,
    AT_KNOWN = AT_HARDENING + N_DOWNLINK,
    AT_NETWORK = AT_KNOWN + N_DOWNLINK,
    AT_PRUNED_UP = AT_NETWORK + N_NETWORK,
    AT_PRUNED_DOWN = AT_PRUNED_UP + N_PRUNED,
    AT_PRUNED_KNOWN = AT_PRUNED_DOWN + N_PRUNED,
    N_BLOCK = AT_PRUNED_KNOWN + N_PRUNED
};
static const int PRUNED[N_PRUNED] = {16, 8, 4, 1};

static struct figure_columns columns(int block)
{
    return (struct figure_columns){block * CLUSTER_MOST_UE, CLUSTER_MOST_UE};
}

static void network(struct cluster_worker *w, const struct study_run *run, double *row)
{
    const double over_mw_db = study_value(run, "ue_dbm");
    for (int k = 0; k < w->K; k++) {
        int neighbours[CLUSTER_MOST_UE], n = 0;
        double best = 0, sum = 0;
        for (int l = 0; l < w->L; l++) {
            best = fmax(best, w->gain[l * w->K + k]);
            sum += w->gain[l * w->K + k];
            n += w->served[l * w->K + k];
        }
        row[(AT_NETWORK + BEST_DB) * CLUSTER_MOST_UE + k] = 10 * log10(best) - over_mw_db;
        row[(AT_NETWORK + SUM_DB) * CLUSTER_MOST_UE + k] = 10 * log10(sum) - over_mw_db;
        row[(AT_NETWORK + N_APS) * CLUSTER_MOST_UE + k] = n;
        row[(AT_NETWORK + N_NEAR) * CLUSTER_MOST_UE + k] = clusters_neighbours(w->L, w->K, w->served, k, neighbours);
    }
}

static void whole_clusters(struct cluster_worker *w, double P, double *row)
{
    double *at[N_BLOCK];
    for (int i = 0; i < N_BLOCK; i++) {
        at[i] = row + i * CLUSTER_MOST_UE;
    }
    double **const hard = at + AT_HARDENING, **const known = at + AT_KNOWN;
    cluster_central_rates(w, CLUSTER_MMSE, P, at[MMSE], NULL, NULL);
    cluster_central_rates(w, CLUSTER_PMMSE, P, at[PMMSE], hard[DN_PMMSE], known[DN_PMMSE]);
    cluster_central_rates(w, CLUSTER_PRZF, P, at[PRZF], hard[DN_PRZF], known[DN_PRZF]);
    cluster_local_rates(w, CLUSTER_LMMSE, P, &(struct cluster_local_rates){.optimal = at[L_OPTIMAL]});
    cluster_local_rates(w, CLUSTER_LPMMSE, P,
                        &(struct cluster_local_rates){.neighbours = at[LP_NEIGHBOURS],
                                                      .equal = at[LP_EQUAL],
                                                      .hardening = hard[DN_LPMMSE],
                                                      .known = known[DN_LPMMSE]});
    cluster_local_rates(w, CLUSTER_MR, P,
                        &(struct cluster_local_rates){
                            .neighbours = at[MR_NEIGHBOURS], .hardening = hard[DN_MR], .known = known[DN_MR]});
}

static int cluster_drop(const struct study_run *run, void *worker, uint64_t drop, double *row)
{
    struct cluster_worker *const w = worker;
    const double P = pow(10, (study_value(run, "ap_dbm") - study_value(run, "ue_dbm")) / 10);
    const double prelog = 1 - study_value(run, "tau_p") / study_value(run, "tau_c");
    for (int i = 0; i < N_BLOCK * CLUSTER_MOST_UE; i++) {
        row[i] = NAN;
    }
    cluster_worker_draw(w, run, drop);
    network(w, run, row);
    whole_clusters(w, P, row);
    if (drop < N_ALL_DROPS && !study_is_quick(run)) {
        cluster_central_rates(w, CLUSTER_MMSE_ALL, P, row + MMSE_ALL * CLUSTER_MOST_UE, NULL, NULL);
    }
    for (int i = 0; i < N_PRUNED && drop < N_PRUNED_DROPS && !study_is_quick(run); i++) {
        cluster_worker_form(w, PRUNED[i]);
        cluster_central_rates(w, CLUSTER_PMMSE, P, row + (AT_PRUNED_UP + i) * CLUSTER_MOST_UE,
                              row + (AT_PRUNED_DOWN + i) * CLUSTER_MOST_UE,
                              row + (AT_PRUNED_KNOWN + i) * CLUSTER_MOST_UE);
    }
    for (int i = 0; i < N_BLOCK * CLUSTER_MOST_UE; i++) {
        const int block = i / CLUSTER_MOST_UE;
        row[i] *= block >= AT_NETWORK && block < AT_PRUNED_UP ? 1 : prelog;
    }
    return 0;
}

/* Evaluation ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    double mean, median, low, high; /* of the book's code, 40 drops (MMSE, all: 10) */
} UPLINK[N_UPLINK] = {{"MMSE, all access points", 7.69, 7.29, 4.96, 11.9},
                      {"MMSE, clusters", 7.61, 7.24, 4.45, 12.1},
                      {"P-MMSE", 7.58, 7.22, 4.40, 12.1},
                      {"P-RZF", 7.41, 7.04, 4.22, 11.9},
                      {"L-MMSE, optimal LSFD", 5.53, 4.99, 2.78, 9.99},
                      {"LP-MMSE, LSFD by neighbours", 5.47, 4.93, 2.72, 9.95},
                      {"LP-MMSE, no LSFD", 3.37, 3.40, 2.35, 4.33},
                      {"MR, LSFD by neighbours", 2.48, 2.51, 1.50, 3.37}};
static const struct {
    const char *name;
    double mean[2], median[2], low[2]; /* by hardening; gain known */
} DOWNLINK[N_DOWNLINK] = {{"P-MMSE", {6.50, 6.59}, {6.43, 6.54}, {4.81, 4.98}},
                          {"P-RZF", {6.41, 6.51}, {6.37, 6.48}, {4.64, 4.79}},
                          {"LP-MMSE", {4.94, 5.15}, {4.53, 4.76}, {2.02, 2.16}},
                          {"MR", {2.03, 3.36}, {2.04, 3.21}, {1.28, 1.80}}};

/* Within 2 % and 2 standard errors of each of the two. */
static void compare(struct study_run *run, struct study_estimate found, double want, const char *what, const char *name)
{
    const double limit = 0.02 * want + 2 * sqrt(2) * found.se;
    if (!study_is_quick(run)) {
        study_check(run, fabs(found.mean - want) <= limit, found.mean,
                    "%s, %s: %.3f within 2 %% + 2 standard errors (%.2f) of %.3f", name, what, found.mean, limit, want);
    }
}

static void compare_rates(struct study_run *run, int block, const char *name, double mean, double median, double low,
                          double high)
{
    compare(run, figure_mean(run, columns(block)), mean, "mean", name);
    compare(run, figure_quantile(run, columns(block), 0.5), median, "median", name);
    compare(run, figure_quantile(run, columns(block), 0.05), low, "5 %", name);
    if (high > 0) {
        compare(run, figure_quantile(run, columns(block), 0.95), high, "95 %", name);
    }
}

static void compare_all(struct study_run *run)
{
    static const double UP[N_PRUNED][2] = {{7.42, 4.50}, {6.98, 3.92}, {6.19, 2.84}, {4.25, 0.79}},
                        DOWN[N_PRUNED][2] = {{6.59, 4.94}, {6.34, 4.58}, {5.64, 3.58}, {3.77, 0.87}};
    char name[96];
    for (int i = 0; i < N_UPLINK; i++) {
        snprintf(name, sizeof name, "uplink, %s", UPLINK[i].name);
        compare_rates(run, AT_UPLINK + i, name, UPLINK[i].mean, UPLINK[i].median, UPLINK[i].low, UPLINK[i].high);
    }
    for (int i = 0; i < 2 * N_DOWNLINK; i++) {
        const int s = i / 2, how = i % 2;
        snprintf(name, sizeof name, "downlink, %s, %s", DOWNLINK[s].name, how ? "gain known" : "hardening");
        compare_rates(run, (how ? AT_KNOWN : AT_HARDENING) + s, name, DOWNLINK[s].mean[how], DOWNLINK[s].median[how],
                      DOWNLINK[s].low[how], 0);
    }
    for (int i = 0; i < N_PRUNED; i++) {
        snprintf(name, sizeof name, "uplink, P-MMSE, at most %d access points", PRUNED[i]);
        compare(run, figure_mean(run, columns(AT_PRUNED_UP + i)), UP[i][0], "mean", name);
        compare(run, figure_quantile(run, columns(AT_PRUNED_UP + i), 0.05), UP[i][1], "5 %", name);
        snprintf(name, sizeof name, "downlink, P-MMSE, gain known, at most %d access points", PRUNED[i]);
        compare(run, figure_mean(run, columns(AT_PRUNED_KNOWN + i)), DOWN[i][0], "mean", name);
        compare(run, figure_quantile(run, columns(AT_PRUNED_KNOWN + i), 0.05), DOWN[i][1], "5 %", name);
    }
    const struct study_estimate best = figure_quantile(run, columns(AT_NETWORK + BEST_DB), 0.5),
                                sum = figure_quantile(run, columns(AT_NETWORK + SUM_DB), 0.5);
    figure_check_near(run, best, 2.82, best.se, "gain of the best access point over noise at 1 mW, median, dB");
    figure_check_near(run, sum, 5.38, sum.se, "gain of all access points over noise at 1 mW, median, dB");
    compare(run, figure_mean(run, columns(AT_NETWORK + N_NEAR)), 33.7, "mean", "users that share an access point");
}

static void panels(struct study_run *run)
{
    study_panel(run, "uplink", "bit/s/Hz", "share of users below");
    for (int i = 0; i < N_UPLINK; i++) {
        figure_distribution(run, UPLINK[i].name, columns(AT_UPLINK + i));
    }
    for (int how = 0; how < 2; how++) {
        study_panel(run, how ? "downlink, users know their gain" : "downlink, channel hardening", "bit/s/Hz",
                    "share of users below");
        for (int i = 0; i < N_DOWNLINK; i++) {
            figure_distribution(run, DOWNLINK[i].name, columns((how ? AT_KNOWN : AT_HARDENING) + i));
        }
    }
    study_panel(run, "P-MMSE, clusters pruned to the strongest", "access points per user, at most", "bit/s/Hz");
    for (int series = 0; series < 6; series++) {
        static const char *const NAMES[] = {"uplink, mean",  "uplink, 5 %",      "downlink, mean",
                                            "downlink, 5 %", "gain known, mean", "gain known, 5 %"};
        static const int BLOCKS[] = {AT_PRUNED_UP, AT_PRUNED_DOWN, AT_PRUNED_KNOWN};
        study_series(run, NAMES[series], false);
        for (int i = N_PRUNED - 1; i >= 0; i--) {
            const struct figure_columns at = columns(BLOCKS[series / 2] + i);
            study_point(run, PRUNED[i], series % 2 ? figure_quantile(run, at, 0.05) : figure_mean(run, at));
        }
    }
}

static void cluster_evaluate(struct study_run *run)
{
    const double aps = figure_mean(run, columns(AT_NETWORK + N_APS)).mean;
    const double want = study_value(run, "n_ap") * study_value(run, "tau_p") / study_value(run, "n_ue");
    panels(run);
    study_check(run, fabs(aps / want - 1) < 0.03, aps,
                "access points per user: %.2f, as every one serves a user per pilot: %.2f within 3 %%", aps, want);
    for (int i = MMSE; i + 1 <= PRZF; i++) {
        const double lead = figure_mean(run, columns(i)).mean - figure_mean(run, columns(i + 1)).mean;
        study_check(run, lead > 0, lead, "uplink: %s above %s in the mean: %.3f > 0", UPLINK[i].name,
                    UPLINK[i + 1].name, lead);
    }
    for (int i = 0; i < N_DOWNLINK; i++) {
        const double lead =
            figure_mean(run, columns(AT_KNOWN + i)).mean - figure_mean(run, columns(AT_HARDENING + i)).mean;
        study_check(run, lead > 0, lead, "downlink, %s: a user that knows its gain has more: %.3f > 0",
                    DOWNLINK[i].name, lead);
    }
    compare_all(run);
}

static const struct study_parameter PARAMETERS[] = {
    {"side_m", 1000, 'T', "square, wrapped, APs and users uniform"},
    {"n_ap", 100, 'T', "L"},
    {"n_ant", 4, 'T', "N, uniform linear array, half a wavelength apart"},
    {"n_ue", 40, 'T', "K"},
    {"tau_p", 10, 'T', "pilots"},
    {"tau_c", 200, 'T', "coherence block, samples"},
    {"ue_dbm", 20, 'T', "100 mW"},
    {"ap_dbm", 23.0103, 'T', "200 mW"},
    {"bandwidth_hz", 20e6, 'T', "bandwidth"},
    {"noise_figure_db", 7, 'T', "noise figure"},
    {"height_m", 10, 'T', "height difference"},
    {"shadowing_db", 4, 'T', "UMi -30.5 - 36.7 log10 d; independent between users (A: the book correlates within 9 m)"},
    {"spread_deg", 15, 'T', "angular standard deviation, azimuth and elevation"},
    {"channels", 100, 'A', "realisations of a drop; with --quick 8"},
    {NULL, 0, 0, NULL}};
static const char *const CAVEATS[] = {
    "Levels are those of the book's code with 40 drops of 100 channels, MMSE over all access points 10 drops; pruned "
    "clusters 12 drops.",
    "Users closer than 9 m share shadowing in the book's code, not here: 0.2 pairs per drop.",
    "The levels of pruned clusters in the downlink are those of users that know their gain: by hardening a single "
    "access "
    "point of four antennas has 10 % less in the mean, a third less at 5 %.",
    "The book's pruning to 95 % of the gain is not among the clusters that the network knows.", NULL};
static const char *const CHECKS[] = {
    "means, medians, 5 % and 95 % points of eight uplink and eight downlink figures within 2 % + 2 standard errors",
    "pruned clusters, gains and neighbours likewise", "the order of the central schemes; known gains above hardening",
    NULL};

const struct study STUDY_CLUSTER = {.name = "cluster",
                                    .item = "User-centric clusters, the book",
                                    .summary = "spectral efficiency of P-MMSE, P-RZF, LP-MMSE, MR, up and down",
                                    .duration = 'L',
                                    .n_drop = 40,
                                    .n_quick = 1,
                                    .n_value = N_BLOCK * CLUSTER_MOST_UE,
                                    .parameters = PARAMETERS,
                                    .caveats = CAVEATS,
                                    .checks = CHECKS,
                                    .counterpart = "none yet: the nodes serve every user from all access points",
                                    .open = cluster_worker_open,
                                    .close = cluster_worker_close,
                                    .drop = cluster_drop,
                                    .evaluate = cluster_evaluate};
