/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The closed forms of secure partial zero-forcing against draws of channels, pilots and the beams themselves: one
 * random network, random powers, four precoders, a silent, an active and a strong eavesdropper, with and without
 * artificial noise. A drop of the study is a batch of draws; all cases see the same ones. */
#include "base/error.h"
#include "channel/random.h"
#include "tools/study/normals.h"
#include "tools/study/ppzf_worker.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_AP = 32, MOST_ANT = 16, MOST_UE = 8, N_CASE = 6, N_NOISE = 2 };
/* Per case, with and without noise: of every user the mean amplitude and the mean power of all it hears; of the
 * eavesdropper the power of stream 0 and of the rest. */
enum { PER_USER = 2, PER_NETWORK = (MOST_UE + 1) * PER_USER, N_VALUE = N_CASE * N_NOISE * PER_NETWORK };

static const struct {
    const char *name;
    enum mimo_scheme scheme;
    double eve_db; /* on top of eve_dbm; -INFINITY: silent */
} CASES[N_CASE] = {{"active, PPZF", MIMO_PPZF, 0},
                   {"active, PZF", MIMO_PZF, 0},
                   {"active, MRT", MIMO_CB, 0},
                   {"active, FZF", MIMO_FZF, 0},
                   {"passive, PPZF", MIMO_PPZF, -INFINITY},
                   {"strong Eve, PPZF", MIMO_PPZF, 15}};

static int forms_open(const struct study_run *run, void **worker)
{
    const int status = ppzf_worker_open(run, worker);
    const struct ppzf_scenario s = ppzf_worker_scenario(run);
    if (!status && (s.n_ap > MOST_AP || s.n_ant > MOST_ANT || s.n_ue > MOST_UE || s.n_ue >= s.n_ant)) {
        return error_set(TUTTI_EINVAL,
                         "study: n_ap %d, n_ant %d, n_ue %d: at most %d, %d, %d, and more antennas than users", s.n_ap,
                         s.n_ant, s.n_ue, MOST_AP, MOST_ANT, MOST_UE);
    }
    return status;
}

/* The network of a case, the same in every drop: tables, and random powers that fill the budgets. */
static int make_case(struct ppzf_worker *w, const struct study_run *run, int i, bool noise)
{
    struct ppzf_scenario s = ppzf_worker_scenario(run);
    const uint64_t seed = study_seed(run);
    s.eve_dbm += CASES[i].eve_db;
    const struct gap_targets targets = {.r_des = 5, .s_des = 5, .w_sec = 0.5, .w_qos = 0.5};
    const int status = ppzf_worker_set(w, &s, seed, 0, CASES[i].scheme, &targets);
    for (int m = 0; m < s.n_ap; m++) {
        const uint64_t key = random_key(seed, RANDOM_HARDWARE, (uint64_t)m, 0, 0);
        double sum = noise ? random_uniform(key, 100) : 0;
        w->eta_an[m] = sum;
        for (int k = 0; k < s.n_ue; k++) {
            w->eta[m * s.n_ue + k] = 0.1 + random_uniform(key, (uint64_t)k);
            sum += w->eta[m * s.n_ue + k];
        }
        w->eta_an[m] *= w->drop->P[m] / sum;
        for (int k = 0; k < s.n_ue; k++) {
            w->eta[m * s.n_ue + k] *= w->drop->P[m] / sum;
        }
    }
    return status;
}

/* Channels of one AP, [user, then the eavesdropper][antenna], and estimates [antenna][user]. */
struct access_point {
    double complex g[(MOST_UE + 1) * MOST_ANT], hat[MOST_ANT * MOST_UE], W[MOST_ANT * MOST_UE], v[MOST_ANT];
};

static void draw_access_point(const struct ppzf_worker *w, int m, struct normals *d, struct access_point *ap)
{
    const struct ppzf_drop *const drop = w->drop;
    const int N = drop->scenario.n_ant, K = drop->scenario.n_ue, tau = drop->scenario.tau;
    const double eve_power = pow(10, (drop->scenario.eve_dbm - drop->scenario.noise_dbm) / 10);
    double complex z[MOST_ANT], work[MOST_ANT * MOST_UE];
    uint8_t strong[MOST_UE];
    for (int i = 0; i < (K + 1) * N; i++) {
        const int k = i / N;
        ap->g[i] = sqrt(k < K ? drop->beta[m * K + k] : drop->beta_eve[m]) * normals_next(d);
    }
    for (int k = 0; k < K; k++) {
        for (int n = 0; n < N; n++) {
            double complex y = sqrt(tau * drop->pilot_power[k]) * ap->g[k * N + n] + normals_next(d);
            y += k == 0 ? sqrt(tau * eve_power) * ap->g[K * N + n] : 0;
            ap->hat[n * K + k] = w->tables->c[m * K + k] * y;
        }
    }
    for (int n = 0; n < N; n++) {
        z[n] = normals_next(d);
    }
    memcpy(strong, w->tables->strong + m * K, (size_t)K);
    ppzf_beams(w->tables->scheme, N, K, strong, w->tables->gamma + m * K, ap->hat, ap->W);
    ppzf_noise(N, K, strong, ap->hat, z, work, ap->v);
}

/* One draw: amplitudes heard [receiver][stream] and noise power heard [receiver], the eavesdropper last. */
static void hear(const struct ppzf_worker *w, int m, const struct access_point *ap,
                 double complex heard[MOST_UE + 1][MOST_UE], double *noise)
{
    const int N = w->drop->scenario.n_ant, K = w->drop->scenario.n_ue;
    for (int r = 0; r <= K; r++) {
        double complex v = 0;
        for (int n = 0; n < N; n++) {
            v += conj(ap->g[r * N + n]) * ap->v[n];
        }
        noise[r] += w->eta_an[m] * creal(v * conj(v));
        for (int t = 0; t < K; t++) {
            double complex a = 0;
            for (int n = 0; n < N; n++) {
                a += conj(ap->g[r * N + n]) * ap->W[n * K + t];
            }
            heard[r][t] += sqrt(w->eta[m * K + t]) * a;
        }
    }
}

static void add(int K, double complex heard[MOST_UE + 1][MOST_UE], const double *noise, int n_draw, double *values)
{
    for (int r = 0; r <= K; r++) {
        double *const v = values + r * PER_USER;
        double power = noise[r];
        for (int t = 0; t < K; t++) {
            power += creal(heard[r][t] * conj(heard[r][t]));
        }
        const double first = creal(heard[r][0] * conj(heard[r][0]));
        v[0] += (r < K ? creal(heard[r][r]) : first) / n_draw;
        v[1] += (r < K ? power : power - first) / n_draw;
    }
}

static int forms_drop(const struct study_run *run, void *worker, uint64_t drop, double *values)
{
    struct ppzf_worker *const w = worker;
    const int n_draw = (int)study_value(run, "draws"), K = (int)study_value(run, "n_ue");
    memset(values, 0, N_VALUE * sizeof *values);
    for (int i = 0; i < N_CASE * N_NOISE; i++) {
        const int status = make_case(w, run, i / N_NOISE, i % N_NOISE);
        if (status) {
            return status;
        }
        for (int t = 0; t < n_draw; t++) {
            struct normals d = {random_key(study_seed(run), RANDOM_FADING, drop, (uint64_t)t, 0), 0};
            double complex heard[MOST_UE + 1][MOST_UE] = {{0}};
            double noise[MOST_UE + 1] = {0};
            for (int m = 0; m < w->drop->scenario.n_ap; m++) {
                struct access_point ap;
                draw_access_point(w, m, &d, &ap);
                hear(w, m, &ap, heard, noise);
            }
            add(K, heard, noise, n_draw, values + i * PER_NETWORK);
        }
    }
    return 0;
}

/* Hardening bound of users; the full power of stream 0 at the eavesdropper; from means over all batches but `without`
 * (-1: all). */
static double sinr_of(const struct study_run *run, int i, int receiver, int n_ue, int without)
{
    double first = 0, second = 0;
    int n = 0;
    for (int d = 0; d < study_n_drop(run); d++) {
        if (d != without) {
            first += study_at(run, d, i * PER_NETWORK + receiver * PER_USER);
            second += study_at(run, d, i * PER_NETWORK + receiver * PER_USER + 1);
            n++;
        }
    }
    first /= n;
    second /= n;
    return receiver < n_ue ? first * first / (1 + second - first * first) : first / (1 + second);
}

/* Jackknife over batches. */
static struct study_estimate drawn_sinr(const struct study_run *run, int i, int receiver, int n_ue)
{
    const int n = study_n_drop(run);
    double sum = 0, squares = 0;
    const double all = sinr_of(run, i, receiver, n_ue, -1);
    for (int d = 0; d < n && n > 1; d++) {
        const double off = sinr_of(run, i, receiver, n_ue, d) - all;
        sum += off / n;
        squares += off * off / n;
    }
    return (struct study_estimate){all, sqrt(fmax(0, squares - sum * sum) * (n - 1)), n};
}

struct worst {
    double z, relative;
};

static void compare(struct study_run *run, int i, const double *closed, int n_ue, struct worst *worst)
{
    study_series(run, i % N_NOISE ? "drawn, with noise" : "drawn", false);
    for (int r = 0; r <= n_ue; r++) {
        const struct study_estimate found = drawn_sinr(run, i, r, n_ue);
        study_point(run, r, found);
        worst->z = fmax(worst->z, fabs(found.mean - closed[r]) / found.se);
        worst->relative = fmax(worst->relative, fabs(found.mean / closed[r] - 1));
    }
    study_series(run, i % N_NOISE ? "closed form, with noise" : "closed form", false);
    for (int r = 0; r <= n_ue; r++) {
        study_point(run, r, (struct study_estimate){closed[r], 0, study_n_drop(run)});
    }
}

static void evaluate_case(struct study_run *run, struct ppzf_worker *w, int i, struct worst *worst)
{
    const int n_ue = (int)study_value(run, "n_ue");
    double closed[MOST_UE + 1];
    make_case(w, run, i / N_NOISE, i % N_NOISE);
    ppzf_sinr(w->tables, w->eta, w->eta_an, closed);
    closed[n_ue] = ppzf_sinr_eve(w->tables, w->eta, w->eta_an);
    compare(run, i, closed, n_ue, worst);
}

static void forms_evaluate(struct study_run *run)
{
    void *worker = NULL;
    struct worst worst = {0, 0};
    if (!forms_open(run, &worker)) {
        for (int i = 0; i < N_CASE * N_NOISE; i++) {
            if (i % N_NOISE == 0) {
                study_panel(run, CASES[i / N_NOISE].name, "user, then the eavesdropper", "SINR");
            }
            evaluate_case(run, worker, i, &worst);
        }
    }
    ppzf_worker_close(worker);
    const double limit = study_is_quick(run) ? 0.1 : 0.02;
    study_check(run, worst.relative > 0 && worst.relative <= limit, worst.relative,
                "largest relative error of all SINRs %.4f <= %g", worst.relative, limit);
    if (!study_is_quick(run)) {
        study_check(run, worst.z <= 4, worst.z, "largest difference of all SINRs %.2f standard errors <= 4", worst.z);
    }
}

static const struct study_parameter PARAMETERS[] = {
    PPZF_SCENARIO(1000, 12, 6, 4, 10, "its pilots, 10 mW; the strong one 15 dB more"),
    {"draws", 1000, 'A', "draws per drop of the study"},
    {NULL, 0, 0, NULL}};
static const char *const CAVEATS[] = {
    "One network for all drops of the study; a drop is a batch of draws. SINRs of users are hardening bounds, the "
    "eavesdropper's counts the whole power of the stream it listens to.",
    NULL};
static const char *const CHECKS[] = {"every SINR of users and eavesdropper within 4 standard errors (jackknife over "
                                     "batches) and 2 % of its closed form, six cases, with and without noise",
                                     NULL};

const struct study STUDY_PPZF_CLOSED_FORM = {.name = "ppzf-closed-form",
                                             .item = "PPZF, eq. (5) and user SINR",
                                             .summary = "closed forms against 40 000 draws of channels and beams",
                                             .duration = 'M',
                                             .n_drop = 40,
                                             .n_quick = 4,
                                             .n_value = N_VALUE,
                                             .parameters = PARAMETERS,
                                             .caveats = CAVEATS,
                                             .checks = CHECKS,
                                             .counterpart = "tutti run examples/attack.yaml",
                                             .open = forms_open,
                                             .close = ppzf_worker_close,
                                             .drop = forms_drop,
                                             .evaluate = forms_evaluate};
