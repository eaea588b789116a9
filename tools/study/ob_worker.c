/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/ob_worker.h"

#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"
#include "control/maxmin.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const OB_SCHEME_NAMES[OB_N_SCHEME] = {"OB", "ZF, powers per realisation", "ZF, powers on large scale",
                                                  "CB max-min"};
/* What numbers are drawn for, besides the purposes of random.h: labels of RANDOM_NOISE. */
enum { NOISE_PILOT, NOISE_DOWNLINK, PERMUTATION };

/* Arrays of the worker: where the pointer stands, members, their size. */
struct array {
    void **at;
    size_t count, size;
};

static int allocate(struct ob_worker *w)
{
    const size_t m = (size_t)w->most_ap, k = OB_MOST_UE, mk = m * k;
    const struct array arrays[] = {{(void **)&w->beta, mk, sizeof(double)},
                                   {(void **)&w->c, mk, sizeof(double)},
                                   {(void **)&w->gamma, mk, sizeof(double)},
                                   {(void **)&w->truth_re, mk, sizeof(double)},
                                   {(void **)&w->truth_im, mk, sizeof(double)},
                                   {(void **)&w->budget, mk, sizeof(double)},
                                   {(void **)&w->mean_budget, mk, sizeof(double)},
                                   {(void **)&w->eta, mk, sizeof(double)},
                                   {(void **)&w->phi, k * k, sizeof(double)},
                                   {(void **)&w->mean_phi, k * k, sizeof(double)},
                                   {(void **)&w->work, k * (k + 1), sizeof(double)},
                                   {(void **)&w->eta_zf, k, sizeof(double)},
                                   {(void **)&w->pilot_power, k, sizeof(double)},
                                   {(void **)&w->P, m, sizeof(double)},
                                   {(void **)&w->pilot, k, sizeof(int)},
                                   {(void **)&w->E, mk, sizeof(float)},
                                   {(void **)&w->sinr, k, sizeof(float)},
                                   {(void **)&w->power, m, sizeof(float)},
                                   {(void **)&w->H, mk, sizeof(tutti_cf32)},
                                   {(void **)&w->W, mk, sizeof(tutti_cf32)},
                                   {(void **)&w->before, mk, sizeof(tutti_cf32)},
                                   {(void **)&w->active, m + k, 1}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i].at = calloc(arrays[i].count, arrays[i].size);
        if (!*arrays[i].at) {
            return error_set(TUTTI_ENOMEM, "study: out of memory for %d APs", w->most_ap);
        }
    }
    memset(w->active, 1, m + k);
    for (size_t i = 0; i < m; i++) {
        w->P[i] = w->power[i] = 1;
    }
    return 0;
}

int ob_worker_open(const struct study_run *run, void **worker)
{
    struct ob_worker *const w = *worker = calloc(1, sizeof *w);
    const double m = study_value(run, "n_ap"), k = study_value(run, "n_ue");
    if (!w) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    if (!(m >= 1 && m <= TUTTI_MAX_AP && k >= 1 && k <= OB_MOST_UE)) {
        return error_set(TUTTI_EINVAL, "study: n_ap %g, n_ue %g: 1 to %d access points, 1 to %d users", m, k,
                         TUTTI_MAX_AP, OB_MOST_UE);
    }
    w->most_ap = (int)m;
    return allocate(w);
}

void ob_worker_close(void *worker)
{
    struct ob_worker *const w = worker;
    if (!w) {
        return;
    }
    void *const arrays[] = {w->beta,        w->c,   w->gamma,  w->truth_re, w->truth_im, w->budget,
                            w->mean_budget, w->eta, w->phi,    w->mean_phi, w->work,     w->eta_zf,
                            w->pilot_power, w->P,   w->pilot,  w->E,        w->sinr,     w->power,
                            w->H,           w->W,   w->before, w->active};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    precoder_destroy(w->precoder);
    maxmin_cb_destroy(w->cb);
    free(w);
}

/* Drops ------------------------------------------------------------------------------------------------------------ */

static int resize(struct ob_worker *w, int n_ap, int n_ue)
{
    if (w->precoder && w->n_ap == n_ap && w->n_ue == n_ue) {
        return 0;
    }
    precoder_destroy(w->precoder);
    maxmin_cb_destroy(w->cb);
    w->precoder = NULL;
    w->cb = NULL;
    w->n_ap = n_ap;
    w->n_ue = n_ue;
    w->shape = (struct mimo_shape){n_ap, 1, n_ue};
    w->channel = (struct mimo_channel){.H_hat = w->H,
                                       .error_variance = w->E,
                                       .ap_power = w->power,
                                       .ap_active = w->active,
                                       .ue_active = w->active + n_ap};
    w->solution = (struct mimo_solution){.W = w->W, .sinr = w->sinr};
    const int status = precoder_create(&w->precoder, &w->shape);
    return status ? status : maxmin_cb_create(&w->cb, n_ap, 1, n_ue);
}

/* The shorter way round. */
static double wrapped(double difference, double side)
{
    const double d = fabs(difference);
    return fmin(d, side - d);
}

static void place(const struct study_run *run, enum random_purpose what, uint64_t drop, int i, double at[2])
{
    const uint64_t key = random_key(study_seed(run), what, drop, (uint64_t)i, 0);
    at[0] = study_value(run, "side_m") * random_uniform(key, 0);
    at[1] = study_value(run, "side_m") * random_uniform(key, 1);
}

static double noise_dbm(const struct study_run *run)
{
    return channel_noise_dbm(study_value(run, "bandwidth_hz"), study_value(run, "noise_figure_db"));
}

int ob_worker_draw(struct ob_worker *w, const struct study_run *run, uint64_t drop, int n_ap, int n_ue)
{
    const double side = study_value(run, "side_m"), over_noise_db = study_value(run, "ap_dbm") - noise_dbm(run);
    const int status = resize(w, n_ap, n_ue);
    for (int m = 0; m < n_ap && !status; m++) {
        const uint64_t key = random_key(study_seed(run), RANDOM_SHADOWING, drop, (uint64_t)m, 0);
        double ap[2], ue[2];
        place(run, RANDOM_POSITION_AP, drop, m, ap);
        for (int k = 0; k < n_ue; k++) {
            float z, unused;
            place(run, RANDOM_POSITION_UE, drop, k, ue);
            random_normal(key, (uint64_t)k, &z, &unused);
            const double distance_m = hypot(wrapped(ap[0] - ue[0], side), wrapped(ap[1] - ue[1], side));
            /* -140.7 dB at 1 km is -35.7 dB at 1 m */
            const double gain_db = channel_log_distance_db(distance_m, -140.7 + 3 * 35, 3.5);
            w->beta[m * n_ue + k] =
                pow(10, (gain_db + study_value(run, "shadowing_db") * (double)z + over_noise_db) / 10);
        }
    }
    w->n_handed_over = 0;
    return status;
}

void ob_worker_pilots(struct ob_worker *w, const struct study_run *run, uint64_t drop, int tau_u, double pilot_dbm)
{
    const uint64_t key = random_key(study_seed(run), RANDOM_NOISE, drop, PERMUTATION, 0);
    int order[OB_MOST_UE];
    const double power = pow(10, (pilot_dbm - study_value(run, "ap_dbm")) / 10); /* beta holds the downlink's power */
    for (int k = 0; k < w->n_ue; k++) {                                          /* a random permutation, inside out */
        const int at = (int)(random_uniform(key, (uint64_t)k) * (k + 1));
        order[k] = order[at];
        order[at] = k;
    }
    for (int k = 0; k < w->n_ue; k++) {
        w->pilot[order[k]] = k % tau_u;
        w->pilot_power[k] = power;
    }
    for (int k = 0; k < w->n_ue && study_value(run, "pilots_random") > 0; k++) {
        w->pilot[k] = (int)(random_uniform(key, (uint64_t)(w->n_ue + k)) * tau_u);
    }
    w->tau_u = tau_u;
    const struct maxmin_cb_network network = {w->n_ap, 1, w->n_ue, w->beta, w->gamma, w->P, w->pilot, w->pilot_power};
    maxmin_cb_statistics(&network, tau_u, w->c, w->gamma);
    for (int i = 0; i < w->n_ap * w->n_ue; i++) {
        w->E[i] = (float)fmax(0, w->beta[i] - w->gamma[i]);
    }
}

void ob_worker_realise(struct ob_worker *w, const struct study_run *run, uint64_t drop, uint64_t realisation)
{
    const int K = w->n_ue;
    for (int m = 0; m < w->n_ap; m++) {
        const uint64_t fading = random_key(study_seed(run), RANDOM_FADING, drop, realisation, (uint64_t)m);
        const uint64_t noise =
            random_key(study_seed(run), RANDOM_NOISE, drop, NOISE_PILOT + 16 * realisation, (uint64_t)m);
        double *const re = w->truth_re + m * K, *const im = w->truth_im + m * K;
        for (int k = 0; k < K; k++) {
            const double a = sqrt(w->beta[m * K + k] / 2);
            float x, y;
            random_normal(fading, (uint64_t)k, &x, &y);
            re[k] = a * (double)x;
            im[k] = a * (double)y;
        }
        for (int k = 0; k < K; k++) { /* what the AP receives of this pilot, despread */
            float x, y;
            random_normal(noise, (uint64_t)w->pilot[k], &x, &y);
            double complex received = sqrt(0.5) * ((double)x + I * (double)y);
            for (int j = 0; j < K; j++) {
                if (w->pilot[j] == w->pilot[k]) {
                    received += sqrt(w->tau_u * w->pilot_power[j]) * (re[j] + I * im[j]);
                }
            }
            w->H[m * K + k] = (tutti_cf32)(w->c[m * K + k] * received);
        }
    }
}

void ob_worker_next(struct ob_worker *w, const struct study_run *run, uint64_t drop, double correlation)
{
    const size_t n = (size_t)(w->n_ap * w->n_ue);
    memcpy(w->before, w->H, n * sizeof *w->H);
    ob_worker_realise(w, run, drop, 1);
    for (size_t i = 0; i < n; i++) {
        w->H[i] = (float)correlation * w->before[i] + (float)sqrt(1 - correlation * correlation) * w->H[i];
    }
}

/* Precoders -------------------------------------------------------------------------------------------------------- */

void ob_worker_power_cb(struct ob_worker *w, double tolerance)
{
    const struct maxmin_cb_network network = {w->n_ap, 1, w->n_ue, w->beta, w->gamma, w->P, w->pilot, w->pilot_power};
    struct maxmin_cb_result result;
    maxmin_cb_execute(w->cb, &network, tolerance, 3000, w->eta, &result);
    w->cb_sinr = result.lower;
    w->cb_gap = 1 - result.lower / result.upper;
    w->cb_iterations = result.iterations;
}

/* W with unit gain h_k^H w_k; what it costs in errors, phi [k][j] = a_j^H diag(E_k) a_j, and in power, budget [m][j].
 * Returns whether zero-forcing was handed over to its regularised form. */
static bool zero_forcing(struct ob_worker *w)
{
    const int M = w->n_ap, K = w->n_ue;
    const int status = precoder_execute(w->precoder, MIMO_ZF, MIMO_POWER_MAXMIN, &w->channel, &w->solution);
    for (int j = 0; j < K; j++) {
        double complex gain = 0;
        for (int m = 0; m < M; m++) {
            gain += conj((double complex)w->H[m * K + j]) * (double complex)w->W[m * K + j];
        }
        for (int m = 0; m < M; m++) {
            const double complex a = gain != 0 ? (double complex)w->W[m * K + j] / gain : 0;
            w->W[m * K + j] = (tutti_cf32)a;
            w->budget[m * K + j] = creal(a * conj(a));
        }
    }
    memset(w->phi, 0, (size_t)(K * K) * sizeof *w->phi);
    for (int m = 0; m < M; m++) {
        for (int k = 0; k < K; k++) {
            for (int j = 0; j < K; j++) {
                w->phi[k * K + j] += (double)w->E[m * K + k] * w->budget[m * K + j];
            }
        }
    }
    return status != 0;
}

void ob_worker_power_zf(struct ob_worker *w, const struct study_run *run, uint64_t drop, int n_realisation)
{
    const int M = w->n_ap, K = w->n_ue;
    double noise[OB_MOST_UE];
    memset(w->mean_phi, 0, (size_t)(K * K) * sizeof *w->mean_phi);
    memset(w->mean_budget, 0, (size_t)(M * K) * sizeof *w->mean_budget);
    for (int r = 0; r < n_realisation; r++) {
        ob_worker_realise(w, run, drop, (uint64_t)r + 1); /* 0 is the one that users see */
        w->n_handed_over += zero_forcing(w);
        for (int i = 0; i < K * K; i++) {
            w->mean_phi[i] += w->phi[i] / n_realisation;
        }
        for (int i = 0; i < M * K; i++) {
            w->mean_budget[i] += w->budget[i] / n_realisation;
        }
    }
    for (int k = 0; k < K; k++) {
        noise[k] = 1;
    }
    maxmin_power(K, M, w->mean_phi, noise, w->mean_budget, K, w->P, w->eta_zf, w->work);
}

void ob_worker_solve(struct ob_worker *w, enum ob_scheme scheme)
{
    const int K = w->n_ue;
    switch (scheme) {
    case OB_OB:
        precoder_execute(w->precoder, MIMO_OB, MIMO_POWER_MAXMIN, &w->channel, &w->solution);
        return;
    case OB_ZF_INST:
        precoder_execute(w->precoder, MIMO_ZF, MIMO_POWER_MAXMIN, &w->channel, &w->solution);
        return;
    case OB_ZF_LSF:
        zero_forcing(w);
        for (int i = 0; i < w->n_ap * K; i++) {
            w->W[i] *= (float)sqrt(w->eta_zf[i % K]);
        }
        return;
    case OB_CB:
    case OB_N_SCHEME:
        break;
    }
    for (int i = 0; i < w->n_ap * K; i++) {
        w->W[i] = (float)sqrt(w->eta[i]) * w->H[i];
    }
}

/* What comes of it ------------------------------------------------------------------------------------------------- */

double ob_worker_peak(const struct ob_worker *w)
{
    double peak = 0;
    for (int m = 0; m < w->n_ap; m++) {
        double power = 0;
        for (int k = 0; k < w->n_ue; k++) {
            const double complex a = (double complex)w->W[m * w->n_ue + k];
            power += creal(a * conj(a));
        }
        peak = fmax(peak, power);
    }
    return peak;
}

double ob_worker_predicted(const struct ob_worker *w)
{
    const int M = w->n_ap, K = w->n_ue;
    double least = INFINITY;
    for (int k = 0; k < K; k++) {
        double others = 1, own = 0;
        for (int j = 0; j < K; j++) {
            double complex heard = 0;
            for (int m = 0; m < M; m++) {
                const double complex a = (double complex)w->W[m * K + j];
                heard += conj((double complex)w->H[m * K + k]) * a;
                others += (double)w->E[m * K + k] * creal(a * conj(a));
            }
            *(j == k ? &own : &others) += creal(heard * conj(heard));
        }
        least = fmin(least, own / others);
    }
    return least;
}

/* The SINR of user k: the true effective channel, or estimated with downlink pilots, the paper's (8). */
static double sinr_of(const struct ob_worker *w, int k, double tau_d, uint64_t key)
{
    const int M = w->n_ap, K = w->n_ue;
    double others = 1 + (tau_d > 0 ? K / tau_d : 0), own = 0;
    for (int j = 0; j < K; j++) {
        double complex heard = 0;
        for (int m = 0; m < M; m++) {
            heard += (w->truth_re[m * K + k] - I * w->truth_im[m * K + k]) * (double complex)w->W[m * K + j];
        }
        if (tau_d > 0) {
            float x, y;
            random_normal(key, (uint64_t)(k * K + j), &x, &y);
            heard += sqrt(0.5 / tau_d) * ((double)x + I * (double)y);
        }
        *(j == k ? &own : &others) += creal(heard * conj(heard));
    }
    return own / others;
}

double ob_worker_net(const struct ob_worker *w, const struct study_run *run, double tau_c, double sinr)
{
    const double data = 1 - (w->tau_u + study_value(run, "tau_d")) / tau_c;
    return study_value(run, "bandwidth_hz") * data / 2 * log2(1 + sinr);
}

void ob_worker_throughput(const struct ob_worker *w, const struct study_run *run, uint64_t drop, enum ob_metric metric,
                          double tau_c, double *out)
{
    const uint64_t key = random_key(study_seed(run), RANDOM_NOISE, drop, NOISE_DOWNLINK, 0);
    const double tau_d = metric == OB_ESTIMATED ? study_value(run, "tau_d") : 0;
    for (int k = 0; k < w->n_ue; k++) {
        out[k] = ob_worker_net(w, run, tau_c, sinr_of(w, k, tau_d, key));
    }
    for (int k = w->n_ue; k < OB_MOST_UE; k++) {
        out[k] = NAN;
    }
}
