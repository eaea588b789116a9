/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single plans of communication and sensing: the map of one drop (Fig. 1), and what more secrecy costs. */
#include "base/error.h"
#include "tools/study/isac_worker.h"

#include <math.h>
#include <stdio.h>

/* Fig. 1 ----------------------------------------------------------------------------------------------------------- */

enum { MOST_AP = 64, MOST_UE = 16, MOST_ZONE = 4 };
enum { AP_X, AP_Y, AP_SERVES, AP_POWER, AP_R, AP_THETA = AP_R + MOST_ZONE, PER_AP = AP_THETA + MOST_ZONE };
enum { UE_X, UE_Y, UE_SINR, PER_UE };
enum { ZONE_X, ZONE_Y, ZONE_MASR, ZONE_EVE, PER_ZONE };
enum { AT_UE = MOST_AP * PER_AP, AT_ZONE = AT_UE + MOST_UE * PER_UE, N_MAP = AT_ZONE + MOST_ZONE * PER_ZONE };

static int map_open(const struct study_run *run, void **worker)
{
    const struct isac_sizes s = isac_sizes(run);
    *worker = NULL;
    return s.n_ap <= MOST_AP && s.n_ue <= MOST_UE && s.n_zone <= MOST_ZONE
               ? isac_worker_open(run, worker)
               : error_set(TUTTI_EINVAL, "study isac-modes: n_ap up to %d, n_ue up to %d, n_zone up to %d", MOST_AP,
                           MOST_UE, MOST_ZONE);
}

static void keep_ap(const struct isac_worker *w, int m, double *v)
{
    const int n_zone = w->scene.n_zone;
    v[AP_X] = w->ap_m[m][0];
    v[AP_Y] = w->ap_m[m][1];
    v[AP_SERVES] = w->mode[m];
    v[AP_POWER] = 0;
    for (int k = 0; k < w->scene.n_ue; k++) {
        v[AP_POWER] += w->scene.n_ant * w->eta_c[m * w->scene.n_ue + k] * w->gamma[m * w->scene.n_ue + k];
    }
    for (int l = 0; l < n_zone; l++) {
        v[AP_R + l] = w->scene.n_ant * w->eta_s[m * n_zone + l];
        v[AP_THETA + l] = w->theta[m * n_zone + l];
        v[AP_POWER] += v[AP_R + l];
    }
}

static int map_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_worker *const w = worker;
    const struct isac_limits limits = isac_limits_of(run, study_value(run, "kappa_db"), ISAC_QOS_4_DB);
    const int status = isac_worker_draw(w, run, drop, isac_sizes(run));
    for (int i = 0; i < N_MAP; i++) {
        values[i] = (double)NAN;
    }
    if (status) {
        return status;
    }
    isac_worker_decide(w, run, ISAC_CP, ISAC_SWAPS, &limits);
    for (int m = 0; m < w->scene.n_ap; m++) {
        keep_ap(w, m, values + m * PER_AP);
    }
    for (int k = 0; k < w->scene.n_ue; k++) {
        double *const v = values + AT_UE + k * PER_UE;
        v[UE_X] = w->ue_m[k][0];
        v[UE_Y] = w->ue_m[k][1];
        v[UE_SINR] = w->sinr[k];
    }
    for (int l = 0; l < w->scene.n_zone; l++) {
        double *const v = values + AT_ZONE + l * PER_ZONE;
        v[ZONE_X] = w->zone_m[l][0];
        v[ZONE_Y] = w->zone_m[l][1];
        v[ZONE_MASR] = w->masr[l];
        v[ZONE_EVE] = w->sinr_eve[l];
    }
    return 0;
}

static double kept(const struct study_run *run, int at)
{
    return study_at(run, 0, at);
}

static void draw_places(struct study_run *run, const char *name, int first, int per, int most, int serves)
{
    study_series(run, name, false);
    for (int i = 0; i < most; i++) {
        const int at = first + i * per;
        if (serves < 0 || kept(run, at + AP_SERVES) == serves) {
            study_point(run, kept(run, at), (struct study_estimate){kept(run, at + 1), 0, !isnan(kept(run, at))});
        }
    }
}

/* What AP m radiates towards an angle, in units of one antenna's share of its budget: sum over zones of r_l
 * |a(angle)^H a(theta_l)|^2 / N. */
static double radiated(const struct study_run *run, int m, double angle)
{
    const int n_ant = (int)study_value(run, "n_ant");
    double sum = 0;
    for (int l = 0; l < (int)study_value(run, "n_zone"); l++) {
        const double theta[2] = {angle, kept(run, m * PER_AP + AP_THETA + l)};
        const struct isac_scene s = {.n_ap = 1, .n_ant = n_ant, .n_zone = 2, .d_over_lambda = 0.5, .theta = theta};
        const double complex inner = isac_inner(&s, 0, 0, 1);
        sum += kept(run, m * PER_AP + AP_R + l) * (creal(inner) * creal(inner) + cimag(inner) * cimag(inner)) / n_ant;
    }
    return sum;
}

/* Every sensing AP's pattern. Returns the least share of its peak that one of them sends to the zone that it spends
 * most on. */
static double draw_patterns(struct study_run *run)
{
    double least = INFINITY;
    study_panel(run, "what sensing access points radiate", "angle from broadside, degrees",
                "gain over one antenna at full power");
    for (int m = 0; m < (int)study_value(run, "n_ap"); m++) {
        double peak = 0;
        int most = 0;
        char name[32];
        if (kept(run, m * PER_AP + AP_SERVES) != 0) {
            continue;
        }
        snprintf(name, sizeof name, "AP %d", m);
        study_series(run, name, false);
        for (int degrees = -90; degrees <= 90; degrees++) {
            const double gain = radiated(run, m, degrees * 0.017453292519943295);
            peak = fmax(peak, gain);
            study_point(run, degrees, (struct study_estimate){gain, 0, 1});
        }
        for (int l = 1; l < (int)study_value(run, "n_zone"); l++) {
            most = kept(run, m * PER_AP + AP_R + l) > kept(run, m * PER_AP + AP_R + most) ? l : most;
        }
        least = fmin(least, radiated(run, m, kept(run, m * PER_AP + AP_THETA + most)) / peak);
    }
    return least;
}

static void map_evaluate(struct study_run *run)
{
    const double kappa = pow(10, study_value(run, "kappa_db") / 10);
    double loudest = 0, masr = INFINITY;
    study_panel_scattered(run, "one drop", "x, m", "y, m");
    draw_places(run, "AP, communication", 0, PER_AP, MOST_AP, 1);
    draw_places(run, "AP, sensing", 0, PER_AP, MOST_AP, 0);
    draw_places(run, "user", AT_UE, PER_UE, MOST_UE, -1);
    draw_places(run, "zone", AT_ZONE, PER_ZONE, MOST_ZONE, -1);
    study_panel_scattered(run, "power of every access point", "AP", "share of its budget");
    for (int serves = 1; serves >= 0; serves--) {
        study_series(run, serves ? "communication" : "sensing", false);
        for (int m = 0; m < (int)study_value(run, "n_ap"); m++) {
            const double power = kept(run, m * PER_AP + AP_POWER);
            loudest = fmax(loudest, power);
            if (kept(run, m * PER_AP + AP_SERVES) == serves) {
                study_point(run, m, (struct study_estimate){power, 0, 1});
            }
        }
    }
    const double least = draw_patterns(run);
    for (int l = 0; l < (int)study_value(run, "n_zone"); l++) {
        masr = fmin(masr, kept(run, AT_ZONE + l * PER_ZONE + ZONE_MASR));
        study_note(run, "zone %d at %.0f, %.0f m: MASR %.2f dB, Eve's SINR %.3f", l,
                   kept(run, AT_ZONE + l * PER_ZONE + ZONE_X), kept(run, AT_ZONE + l * PER_ZONE + ZONE_Y),
                   10 * log10(kept(run, AT_ZONE + l * PER_ZONE + ZONE_MASR)),
                   kept(run, AT_ZONE + l * PER_ZONE + ZONE_EVE));
    }
    study_check(run, masr >= kappa * (1 - 1e-5), masr, "every zone's MASR is kappa or more: %.4f, %.4f", masr, kappa);
    study_check(run, loudest <= 1 + 1e-6, loudest, "no access point above its budget: %.6f", loudest);
    study_check(run, least >= 0.5, least, "every sensing AP's zone lies within 3 dB of its pattern's peak: %.3f",
                least);
}

static const struct study_parameter PARAMETERS[] = {
    ISAC_PARAMETERS, {"n_ap", 32, 'T', "M"}, {"n_ue", 8, 'A', "K"}, {"n_zone", 2, 'T', "L"}, {NULL, 0, 0, NULL}};
static const char *const MAP_CHECKS[] = {"the plan keeps its MASR and budgets",
                                         "sensing APs point at the zone that they spend most on (3 dB)", NULL};
static const char *const MAP_CAVEATS[] = {
    "K is not given in the paper. Another --seed draws another map; arrays lie along y, broadside is 0 degrees.", NULL};

const struct study STUDY_ISAC_MODES = {.name = "isac-modes",
                                       .item = "ISAC, Fig. 1",
                                       .summary = "map of one drop: modes, powers, beam patterns",
                                       .duration = 'S',
                                       .n_drop = 1,
                                       .n_quick = 1,
                                       .n_value = N_MAP,
                                       .parameters = PARAMETERS,
                                       .caveats = MAP_CAVEATS,
                                       .checks = MAP_CHECKS,
                                       .counterpart = ISAC_COUNTERPART,
                                       .open = map_open,
                                       .close = isac_worker_close,
                                       .drop = map_drop,
                                       .evaluate = map_evaluate};

/* nu and qos ------------------------------------------------------------------------------------------------------- */

enum { N_NU = 5, N_QOS = 6 };
enum { T_SECRECY, T_USER, T_EVE, T_BOUND, PER_POINT };
static const double NU[N_NU] = {0.1, 0.2, 0.5, 1, 2}, QOS_DB[N_QOS] = {1, 2, 4, 6, 8, 10};

static int tradeoff_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct isac_worker *const w = worker;
    const int status = isac_worker_draw(w, run, drop, isac_sizes(run));
    for (int i = 0; i < N_NU + N_QOS && !status; i++) {
        double *const v = values + i * PER_POINT;
        struct isac_limits limits = isac_limits_of(run, study_value(run, "kappa_db"), 1);
        limits.nu = i < N_NU ? NU[i] : limits.nu;
        limits.qos = i < N_NU ? 1 : pow(10, QOS_DB[i - N_NU] / 10);
        const struct isac_decision d = isac_worker_decide(w, run, i < N_NU ? ISAC_CP : ISAC_SP, ISAC_PREFIXES, &limits);
        const bool ok = d.solution.verdict == ISAC_FEASIBLE;
        v[T_SECRECY] = ok ? isac_worker_rates(w, run) : (double)NAN;
        v[T_USER] = ok ? isac_worker_mean_rate(w) : (double)NAN;
        v[T_EVE] = ok ? w->rate_eve : (double)NAN;
        v[T_BOUND] = ok ? d.bound : (double)NAN;
    }
    return status;
}

static void tradeoff_curves(struct study_run *run, int first, int n, const double *x)
{
    static const char *const CURVES[] = {"secrecy", "users' rate", "Eve's rate"};
    for (int c = T_SECRECY; c <= T_EVE; c++) {
        study_series(run, CURVES[c], false);
        for (int i = 0; i < n; i++) {
            study_point(run, x[i], study_mean(run, (first + i) * PER_POINT + c));
        }
    }
}

/* Bounds that fall from one value to the next. */
static int falls(const struct study_run *run, int first, int n)
{
    int found = 0;
    for (int d = 0; d < study_n_drop(run); d++) {
        for (int i = first + 1; i < first + n; i++) {
            found += study_at(run, d, i * PER_POINT + T_BOUND) <
                     study_at(run, d, (i - 1) * PER_POINT + T_BOUND) * (1 - 1e-3);
        }
    }
    return found;
}

static void tradeoff_evaluate(struct study_run *run)
{
    const double prelog = 1 - (study_value(run, "n_ue") + study_value(run, "n_zone")) / study_value(run, "tau");
    const double kappa = pow(10, study_value(run, "kappa_db") / 10);
    double off = 0;
    int loud = 0;
    study_panel(run, "CP against the eavesdroppers' limit", "nu", "mean, bit/s/Hz");
    tradeoff_curves(run, 0, N_NU, NU);
    study_panel(run, "SP against the users' requirement", "qos, dB", "mean, bit/s/Hz");
    tradeoff_curves(run, N_NU, N_QOS, QOS_DB);
    for (int d = 0; d < study_n_drop(run); d++) {
        for (int i = 0; i < N_QOS; i++) {
            const double rate = study_at(run, d, (N_NU + i) * PER_POINT + T_USER);
            off = fmax(off, isnan(rate) ? 0 : fabs(rate - prelog * log2(1 + pow(10, QOS_DB[i] / 10))));
        }
        for (int i = 0; i < N_NU; i++) {
            loud += study_at(run, d, i * PER_POINT + T_EVE) > prelog * log2(1 + fmin(NU[i], 1 / kappa)) * (1 + 1e-4);
        }
    }
    for (int i = 0; i < N_QOS; i++) {
        study_note(run, "SP feasible at qos %g dB in %d of %d drops", QOS_DB[i],
                   study_mean(run, (N_NU + i) * PER_POINT).n, study_n_drop(run));
    }
    study_check(run, falls(run, 0, N_NU) == 0, falls(run, 0, N_NU), "CP's bounds that fall as nu grows: %d",
                falls(run, 0, N_NU));
    study_check(run, falls(run, N_NU, N_QOS) == 0, falls(run, N_NU, N_QOS), "SP's bounds that fall as qos grows: %d",
                falls(run, N_NU, N_QOS));
    study_check(run, off < 1e-3, off, "SP's users have the rate of qos, off by %.1e bit/s/Hz at most", off);
    study_check(run, loud == 0, loud, "Eve's rates above log2(1 + min(nu, 1/kappa)): %d", loud);
}

static const char *const TRADEOFF_CHECKS[] = {"bounds do not fall as nu or qos grows",
                                              "SP's users have exactly qos; Eve at most min(nu, 1/kappa)", NULL};

const struct study STUDY_ISAC_NU_QOS = {.name = "isac-nu-qos",
                                        .item = "ISAC, trade-off",
                                        .summary = "CP against nu, SP against qos",
                                        .duration = 'L',
                                        .n_drop = 20,
                                        .n_quick = 1,
                                        .n_value = (N_NU + N_QOS) * PER_POINT,
                                        .parameters = PARAMETERS,
                                        .caveats = ISAC_CAVEATS,
                                        .checks = TRADEOFF_CHECKS,
                                        .counterpart = ISAC_COUNTERPART,
                                        .open = isac_worker_open,
                                        .close = isac_worker_close,
                                        .drop = tradeoff_drop,
                                        .evaluate = tradeoff_evaluate};
