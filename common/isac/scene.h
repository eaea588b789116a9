/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secure cell-free ISAC [Wang 2026]: access points that either serve users by conjugate beams or illuminate
 * sensing zones by steering vectors, an eavesdropper in every zone. Closed forms on large-scale fading:
 *     SINR_k = rho (N sum_m sqrt(a_m eta_c[m,k]) gamma_mk)^2
 *              / (rho N sum_m beta_mk (a_m sum_k' eta_c[m,k'] gamma_mk' + (1 - a_m) sum_l eta_s[m,l]) + 1)
 *     MASR_l = own / (C + cross),  SINR_l = rho C / (rho (own + cross) + 1)
 * with the interference in SINR_k through user k's own gains (the paper's (9) prints beta_mk' for beta_mk; Monte-Carlo
 * is up to 23 % off that). MASR and the eavesdropper's SINR hold for AP phases drawn anew; with phases that stand
 * still the powers of the APs add as amplitudes, the coherent form. Cost: about M (K^2 + L^2); nothing allocates. */
#ifndef TUTTI_ISAC_SCENE_H
#define TUTTI_ISAC_SCENE_H

#include "base/types.h"

#include <stdbool.h>

struct isac_scene {
    int n_ap, n_ant, n_ue, n_zone;
    double rho;           /* downlink power of an AP over the noise power */
    double d_over_lambda; /* element spacing of the arrays */
    const double *beta;   /* [n_ap][n_ue] > 0 */
    const double *gamma;  /* [n_ap][n_ue] variance per antenna of the estimates, 0 to beta */
    const double *zeta;   /* [n_ap][n_zone] > 0, line of sight to the zones */
    const double *theta;  /* [n_ap][n_zone] rad from broadside */
};

/* What is asked for, linear: least MASR of every zone, largest SINR of an eavesdropper (communication prioritised),
 * least SINR of a user (security prioritised). */
struct isac_limits {
    double kappa, nu, qos;
};

/* Metrics of powers; each array may be NULL. */
struct isac_metrics {
    double *sinr;     /* [n_ue] */
    double *masr;     /* [n_zone]; nothing over nothing is NaN, something over nothing infinite */
    double *sinr_eve; /* [n_zone] */
    double *power;    /* [n_ap] of the budget 1 */
};

/* gamma of orthogonal pilots: tau_t rho_t beta^2 / (tau_t rho_t beta + 1). n values. */
void isac_estimate_variance(int n, double pilot_energy, const double *beta, double *gamma);
/* a(theta), n_ant elements of unit magnitude. */
void isac_steering(const struct isac_scene *scene, double theta, double complex *a);
/* a(theta_ml)^H a(theta_ml2). */
double complex isac_inner(const struct isac_scene *scene, int ap, int zone, int other_zone);

/* a [n_ap] 0 (sensing) to 1 (communication), eta_c [n_ap][n_ue], eta_s [n_ap][n_zone]. phase NULL: non-coherent;
 * else [n_ap][n_zone] rad, the phase of every path, and powers of APs add as amplitudes. */
void isac_evaluate(const struct isac_scene *scene, const double *a, const double *eta_c, const double *eta_s,
                   const double *phase, const struct isac_metrics *metrics);

/* An eavesdropper that wants one stream and has the others as interference, powers of APs added: sinr [n_zone][n_ue] =
 * rho C_lk / (rho (own + cross + sum over k' != k of C_lk') + 1). At most sinr_eve of isac_evaluate. */
void isac_stream_sinr(const struct isac_scene *scene, const double *a, const double *eta_c, const double *eta_s,
                      double *sinr);

/* Rates in bit/s/Hz with the pre-log 1 - tau_t / tau: rate [n_ue], the strongest eavesdropper's, secrecy [n_ue]. */
void isac_rates(const struct isac_scene *scene, double prelog, const double *sinr, const double *sinr_eve, double *rate,
                double *rate_eve, double *secrecy);

/* Average power: every communicating AP splits its power equally over the users, every sensing one over the zones. */
void isac_average_power(const struct isac_scene *scene, const unsigned char *communicates, double *eta_c,
                        double *eta_s);

#endif
