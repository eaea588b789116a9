/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isac/scene.h"

#include <math.h>

static const double TURN = 6.283185307179586476925;

void isac_estimate_variance(int n, double pilot_energy, const double *beta, double *gamma)
{
    for (int i = 0; i < n; i++) {
        gamma[i] = pilot_energy * beta[i] * beta[i] / (pilot_energy * beta[i] + 1);
    }
}

void isac_steering(const struct isac_scene *scene, double theta, double complex *a)
{
    const double step = TURN * scene->d_over_lambda * sin(theta);
    for (int n = 0; n < scene->n_ant; n++) {
        a[n] = CMPLX(cos(step * n), sin(step * n));
    }
}

/* Sum of a geometric series: sin(N w / 2) / sin(w / 2) turned by (N - 1) w / 2. */
double complex isac_inner(const struct isac_scene *scene, int ap, int zone, int other_zone)
{
    const double *const theta = scene->theta + ap * scene->n_zone;
    const double w = TURN * scene->d_over_lambda * (sin(theta[other_zone]) - sin(theta[zone]));
    const double n = scene->n_ant, half = sin(w / 2);
    if (fabs(half) < 1e-12) { /* w is a multiple of a turn */
        return n;
    }
    const double size = sin(n * w / 2) / half, turn = (n - 1) * w / 2;
    return CMPLX(size * cos(turn), size * sin(turn));
}

static double power_of(const struct isac_scene *s, int m, const double *a, const double *eta_c, const double *eta_s,
                       double *communication)
{
    double data = 0, sensing = 0;
    for (int k = 0; k < s->n_ue; k++) {
        data += eta_c[m * s->n_ue + k] * s->gamma[m * s->n_ue + k];
    }
    for (int l = 0; l < s->n_zone; l++) {
        sensing += eta_s[m * s->n_zone + l];
    }
    *communication = s->n_ant * a[m] * data;
    return *communication + s->n_ant * (1 - a[m]) * sensing;
}

static void evaluate_users(const struct isac_scene *s, const double *a, const double *eta_c, const double *eta_s,
                           double *sinr)
{
    for (int k = 0; k < s->n_ue; k++) {
        double amplitude = 0, disturbance = 1 / s->rho, unused;
        for (int m = 0; m < s->n_ap; m++) {
            const int i = m * s->n_ue + k;
            amplitude += sqrt(a[m] * eta_c[i]) * s->gamma[i];
            disturbance += s->beta[i] * power_of(s, m, a, eta_c, eta_s, &unused);
        }
        sinr[k] = s->n_ant * amplitude * s->n_ant * amplitude / disturbance;
    }
}

/* Power that zone l receives of the sensing stream of zone other, all APs together. */
static double sensing_power(const struct isac_scene *s, const double *a, const double *eta_s, const double *phase,
                            int l, int other)
{
    double complex amplitude = 0;
    double power = 0;
    for (int m = 0; m < s->n_ap; m++) {
        const double gain = s->zeta[m * s->n_zone + l] * (1 - a[m]) * eta_s[m * s->n_zone + other];
        const double complex inner = isac_inner(s, m, l, other);
        if (phase) {
            const double turn = -phase[m * s->n_zone + l];
            amplitude += sqrt(gain) * inner * CMPLX(cos(turn), sin(turn));
        } else {
            power += gain * (creal(inner) * creal(inner) + cimag(inner) * cimag(inner));
        }
    }
    return phase ? creal(amplitude) * creal(amplitude) + cimag(amplitude) * cimag(amplitude) : power;
}

void isac_evaluate(const struct isac_scene *s, const double *a, const double *eta_c, const double *eta_s,
                   const double *phase, const struct isac_metrics *metrics)
{
    double communication;
    for (int m = 0; metrics->power && m < s->n_ap; m++) {
        metrics->power[m] = power_of(s, m, a, eta_c, eta_s, &communication);
    }
    if (metrics->sinr) {
        evaluate_users(s, a, eta_c, eta_s, metrics->sinr);
    }
    for (int l = 0; l < s->n_zone && (metrics->masr || metrics->sinr_eve); l++) {
        double data = 0, own = 0, cross = 0;
        for (int m = 0; m < s->n_ap; m++) {
            power_of(s, m, a, eta_c, eta_s, &communication);
            data += s->zeta[m * s->n_zone + l] * communication;
        }
        for (int other = 0; other < s->n_zone; other++) {
            *(other == l ? &own : &cross) += sensing_power(s, a, eta_s, phase, l, other);
        }
        if (metrics->masr) {
            metrics->masr[l] = own / (data + cross);
        }
        if (metrics->sinr_eve) {
            metrics->sinr_eve[l] = s->rho * data / (s->rho * (own + cross) + 1);
        }
    }
}

void isac_stream_sinr(const struct isac_scene *s, const double *a, const double *eta_c, const double *eta_s,
                      double *sinr)
{
    for (int l = 0; l < s->n_zone; l++) {
        double *const stream = sinr + l * s->n_ue, rest = 1 / s->rho;
        for (int k = 0; k < s->n_ue; k++) {
            stream[k] = 0;
            for (int m = 0; m < s->n_ap; m++) {
                const int i = m * s->n_ue + k;
                stream[k] += s->n_ant * s->zeta[m * s->n_zone + l] * a[m] * eta_c[i] * s->gamma[i];
            }
            rest += stream[k];
        }
        for (int other = 0; other < s->n_zone; other++) {
            rest += sensing_power(s, a, eta_s, NULL, l, other);
        }
        for (int k = 0; k < s->n_ue; k++) {
            stream[k] /= rest - stream[k];
        }
    }
}

void isac_rates(const struct isac_scene *s, double prelog, const double *sinr, const double *sinr_eve, double *rate,
                double *rate_eve, double *secrecy)
{
    *rate_eve = 0;
    for (int l = 0; l < s->n_zone; l++) {
        *rate_eve = fmax(*rate_eve, prelog * log2(1 + sinr_eve[l]));
    }
    for (int k = 0; k < s->n_ue; k++) {
        rate[k] = prelog * log2(1 + sinr[k]);
        secrecy[k] = fmax(rate[k] - *rate_eve, 0);
    }
}

void isac_average_power(const struct isac_scene *s, const unsigned char *communicates, double *eta_c, double *eta_s)
{
    for (int m = 0; m < s->n_ap; m++) {
        for (int k = 0; k < s->n_ue; k++) {
            const double gamma = s->gamma[m * s->n_ue + k];
            eta_c[m * s->n_ue + k] = communicates[m] && gamma > 0 ? 1 / (s->n_ue * s->n_ant * gamma) : 0;
        }
        for (int l = 0; l < s->n_zone; l++) {
            eta_s[m * s->n_zone + l] = communicates[m] ? 0 : 1.0 / (s->n_zone * s->n_ant);
        }
    }
}
