/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/isac_worker.h"

#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>

static const double SHADOWING_DB = 4;

int isac_worker_open(const struct study_run *run, void **worker)
{
    struct isac_worker *const w = *worker = calloc(1, sizeof *w);
    if (!w) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    const size_t m = (size_t)study_value(run, "n_ap"), k = (size_t)study_value(run, "n_ue");
    const size_t l = (size_t)study_value(run, "n_zone");
    double **const arrays[] = {&w->beta, &w->gamma, &w->zeta, &w->theta,    &w->eta_c, &w->eta_s,
                               &w->a,    &w->sinr,  &w->masr, &w->sinr_eve, &w->rate,  &w->secrecy};
    const size_t lengths[] = {m * k, m * k, m * l, m * l, m * k, m * l, m, k, l, l, k, k};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = calloc(lengths[i] + 1, sizeof(double));
        if (!*arrays[i]) {
            return error_set(TUTTI_ENOMEM, "study: out of memory");
        }
    }
    w->mode = calloc(m + 1, 1);
    return w->mode && m > 1 && k > 0 && l > 0
               ? 0
               : error_set(TUTTI_EINVAL, "study: n_ap %zu, n_ue %zu, n_zone %zu: at least 2, 1, 1", m, k, l);
}

void isac_worker_close(void *worker)
{
    struct isac_worker *const w = worker;
    if (!w) {
        return;
    }
    double *const arrays[] = {w->beta, w->gamma, w->zeta, w->theta,    w->eta_c, w->eta_s,
                              w->a,    w->sinr,  w->masr, w->sinr_eve, w->rate,  w->secrecy};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
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
    double ap[2], at[2];
    place(run, RANDOM_POSITION_AP, drop, m, ap);
    for (int k = 0; k < n_ue; k++) {
        const uint64_t key = random_key(study_seed(run), RANDOM_SHADOWING, drop, (uint64_t)m, (uint64_t)k);
        float z, unused;
        place(run, RANDOM_POSITION_UE, drop, k, at);
        random_normal(key, 0, &z, &unused);
        const double distance = hypot(hypot(at[0] - ap[0], at[1] - ap[1]), height);
        w->beta[m * n_ue + k] = pow(10, (channel_umi_db(distance) + SHADOWING_DB * (double)z) / 10);
    }
    for (int l = 0; l < n_zone; l++) {
        place(run, RANDOM_SIGHT, drop, l, at);
        const double dx = at[0] - ap[0], dy = at[1] - ap[1];
        w->zeta[m * n_zone + l] = pow(10, (-34 - 22 * log10(hypot(hypot(dx, dy), height))) / 10);
        w->theta[m * n_zone + l] = atan2(dy, dx);
    }
}

int isac_worker_draw(struct isac_worker *w, const struct study_run *run, uint64_t drop, int n_ue, int n_zone)
{
    const int n_ap = (int)study_value(run, "n_ap");
    const double noise_dbm = study_value(run, "noise_dbm");
    if (w->n_ue != n_ue || w->n_zone != n_zone) {
        isac_modes_destroy(w->modes);
        const int status = isac_modes_create(&w->modes, n_ap, n_ue, n_zone);
        if (status) {
            return status;
        }
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

double isac_worker_rates(struct isac_worker *w, const struct study_run *run)
{
    const double prelog = 1 - (w->scene.n_ue + w->scene.n_zone) / study_value(run, "tau");
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
