/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/isac_worker.h"

#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>

static const double SHADOWING_DB = 4;

const char *const ISAC_CAVEATS[] = {
    "K is not given in the paper; the median 5.1 is impossible for K=8 (bound 4.70) and fits K=4 without pre-log "
    "(5.04).",
    "SP 'above 3.5 bit/s/Hz' contradicts qos = 4 dB: every optimum has SINR = qos, 1.72 bit; it fits qos = 15.",
    "The printed fall of CP with kappa is not what the optimum does (MASR >= kappa implies SINR_l <= 1/kappa); only "
    "infeasible drops grow.",
    "(9) is printed with the wrong index, up to 23 % off; (12) and (17) hold for random phases between APs, coherent "
    "zones differ by 1.5 to 2.7 times.",
    "Baseline levels depend on the undefined mode choice.",
    "Secrecy counts all streams for Eve and one for the user: conservative.",
    NULL};

static int allocate(struct isac_worker *w, size_t m, size_t k, size_t l)
{
    const struct {
        double **at;
        size_t n;
    } parts[] = {{&w->beta, m * k},  {&w->gamma, m * k}, {&w->zeta, m * l},  {&w->theta, m * l}, {&w->eta_c, m * k},
                 {&w->eta_s, m * l}, {&w->a, m},         {&w->sinr, k},      {&w->masr, l},      {&w->sinr_eve, l},
                 {&w->rate, k},      {&w->secrecy, k},   {&w->stream, l * k}};
    bool ok = (w->mode = calloc(m + 1, 1)) != NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ok = (*parts[i].at = calloc(parts[i].n + 1, sizeof(double))) && ok;
    }
    ok = (w->ap_m = calloc(m + 1, sizeof *w->ap_m)) && ok;
    ok = (w->ue_m = calloc(k + 1, sizeof *w->ue_m)) && ok;
    ok = (w->zone_m = calloc(l + 1, sizeof *w->zone_m)) && ok;
    return ok ? 0 : error_set(TUTTI_ENOMEM, "study: out of memory");
}

int isac_worker_open(const struct study_run *run, void **worker)
{
    struct isac_worker *const w = *worker = calloc(1, sizeof *w);
    const struct isac_sizes sizes = isac_sizes(run);
    if (!w) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    if (sizes.n_ap < 2 || sizes.n_ue < 1 || sizes.n_zone < 1) {
        return error_set(TUTTI_EINVAL, "study: n_ap %d, n_ue %d, n_zone %d: at least 2, 1, 1", sizes.n_ap, sizes.n_ue,
                         sizes.n_zone);
    }
    return allocate(w, (size_t)sizes.n_ap, (size_t)sizes.n_ue, (size_t)sizes.n_zone);
}

void isac_worker_close(void *worker)
{
    struct isac_worker *const w = worker;
    if (!w) {
        return;
    }
    void *const parts[] = {w->beta, w->gamma,    w->zeta, w->theta,   w->eta_c,  w->eta_s, w->a,    w->sinr,
                           w->masr, w->sinr_eve, w->rate, w->secrecy, w->stream, w->ap_m,  w->ue_m, w->zone_m};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        free(parts[i]);
    }
    free(w->mode);
    isac_modes_destroy(w->modes);
    free(w);
}

static void place(const struct study_run *run, enum random_purpose what, uint64_t drop, int i, double at[2])
{
    const uint64_t key = random_key(study_seed(run), what, drop, (uint64_t)i, 0);
    at[0] = study_value(run, "side_m") * random_uniform(key, 0);
    at[1] = study_value(run, "side_m") * random_uniform(key, 1);
}

static void draw_ap(struct isac_worker *w, const struct study_run *run, uint64_t drop, int m)
{
    const double height = study_value(run, "height_m");
    const int n_ue = w->scene.n_ue, n_zone = w->scene.n_zone;
    double *const ap = w->ap_m[m];
    place(run, RANDOM_POSITION_AP, drop, m, ap);
    for (int k = 0; k < n_ue; k++) {
        const uint64_t key = random_key(study_seed(run), RANDOM_SHADOWING, drop, (uint64_t)m, (uint64_t)k);
        double *const at = w->ue_m[k];
        float z, unused;
        place(run, RANDOM_POSITION_UE, drop, k, at);
        random_normal(key, 0, &z, &unused);
        const double distance = hypot(hypot(at[0] - ap[0], at[1] - ap[1]), height);
        w->beta[m * n_ue + k] = pow(10, (channel_umi_db(distance) + SHADOWING_DB * (double)z) / 10);
    }
    for (int l = 0; l < n_zone; l++) {
        double *const at = w->zone_m[l];
        place(run, RANDOM_SIGHT, drop, l, at);
        const double dx = at[0] - ap[0], dy = at[1] - ap[1];
        w->zeta[m * n_zone + l] = pow(10, (-34 - 22 * log10(hypot(hypot(dx, dy), height))) / 10);
        w->theta[m * n_zone + l] = atan2(dy, dx);
    }
}

struct isac_sizes isac_sizes(const struct study_run *run)
{
    return (struct isac_sizes){(int)study_value(run, "n_ap"), (int)study_value(run, "n_ue"),
                               (int)study_value(run, "n_zone")};
}

struct isac_limits isac_limits_of(const struct study_run *run, double kappa_db, double qos)
{
    return (struct isac_limits){pow(10, kappa_db / 10), study_value(run, "nu"), qos};
}

int isac_worker_draw(struct isac_worker *w, const struct study_run *run, uint64_t drop, struct isac_sizes sizes)
{
    const int n_ap = sizes.n_ap, n_ue = sizes.n_ue, n_zone = sizes.n_zone;
    const double noise_dbm = study_value(run, "noise_dbm");
    if (w->n_ap != n_ap || w->n_ue != n_ue || w->n_zone != n_zone) {
        isac_modes_destroy(w->modes);
        const int status = isac_modes_create(&w->modes, n_ap, n_ue, n_zone);
        if (status) {
            return status;
        }
        w->n_ap = n_ap;
        w->n_ue = n_ue;
        w->n_zone = n_zone;
    }
    w->scene = (struct isac_scene){.n_ap = n_ap,
                                   .n_ant = (int)study_value(run, "n_ant"),
                                   .n_ue = n_ue,
                                   .n_zone = n_zone,
                                   .rho = pow(10, (study_value(run, "data_dbm") - noise_dbm) / 10),
                                   .d_over_lambda = 0.5,
                                   .beta = w->beta,
                                   .gamma = w->gamma,
                                   .zeta = w->zeta,
                                   .theta = w->theta};
    for (int m = 0; m < n_ap; m++) {
        draw_ap(w, run, drop, m);
    }
    const double pilot = pow(10, (study_value(run, "pilot_dbm") - noise_dbm) / 10);
    isac_estimate_variance(n_ap * n_ue, (n_ue + n_zone) * pilot, w->beta, w->gamma);
    return 0;
}

double isac_worker_prelog(const struct isac_worker *w, const struct study_run *run)
{
    return 1 - (w->scene.n_ue + w->scene.n_zone) / study_value(run, "tau");
}

double isac_worker_mean_rate(const struct isac_worker *w)
{
    double sum = 0;
    for (int k = 0; k < w->scene.n_ue; k++) {
        sum += w->rate[k];
    }
    return sum / w->scene.n_ue;
}

double isac_worker_rates(struct isac_worker *w, const struct study_run *run)
{
    const double prelog = isac_worker_prelog(w, run);
    double sum = 0;
    for (int m = 0; m < w->scene.n_ap; m++) {
        w->a[m] = w->mode[m];
    }
    isac_evaluate(&w->scene, w->a, w->eta_c, w->eta_s, NULL,
                  &(struct isac_metrics){.sinr = w->sinr, .masr = w->masr, .sinr_eve = w->sinr_eve});
    isac_rates(&w->scene, prelog, w->sinr, w->sinr_eve, w->rate, &w->rate_eve, w->secrecy);
    for (int k = 0; k < w->scene.n_ue; k++) {
        sum += w->secrecy[k];
    }
    return sum / w->scene.n_ue;
}

double isac_worker_stream_secrecy(struct isac_worker *w, const struct study_run *run)
{
    const double prelog = isac_worker_prelog(w, run);
    const int n_ue = w->scene.n_ue;
    double sum = 0;
    isac_stream_sinr(&w->scene, w->a, w->eta_c, w->eta_s, w->stream);
    for (int k = 0; k < n_ue; k++) {
        double heard = 0;
        for (int l = 0; l < w->scene.n_zone; l++) {
            heard = fmax(heard, prelog * log2(1 + w->stream[l * n_ue + k]));
        }
        sum += fmax(w->rate[k] - heard, 0);
    }
    return sum / n_ue;
}

struct isac_decision isac_worker_decide(struct isac_worker *w, const struct study_run *run,
                                        enum isac_objective objective, enum isac_effort effort,
                                        const struct isac_limits *limits)
{
    struct isac_decision decision;
    isac_modes_search(w->modes, &w->scene, limits, objective, effort, w->mode, w->eta_c, w->eta_s, &decision);
    isac_worker_rates(w, run);
    return decision;
}

void isac_worker_random_half(struct isac_worker *w, const struct study_run *run, uint64_t drop)
{
    const int n = w->scene.n_ap;
    int left = n / 2; /* to sense, of those that are left */
    for (int m = 0; m < n; m++) {
        const uint64_t key = random_key(study_seed(run), RANDOM_SENSING, drop, (uint64_t)m, 0);
        const bool senses = random_uniform(key, 0) * (n - m) < left;
        w->mode[m] = senses ? ISAC_SENSING : ISAC_COMMUNICATION;
        left -= senses;
    }
}
