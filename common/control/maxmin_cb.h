/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min power control of conjugate beamforming on large-scale fading ([Ngo 2017], Algorithm 2): AP m sends
 * sum_k sqrt(eta_mk) ghat_mk s_k with one coefficient per AP and user, so it is solved once per large-scale update and
 * not per block. The closed-form SINRs (hardening bound) are those of any pilots and pilot powers, receiver noise 1:
 *     SINR_k = (N sum_m sqrt(eta_mk) gamma_mk)^2 / (sum_{j != k, same pilot} (N sum_m sqrt(eta_mj) gamma_mj r_mjk)^2
 *              + N sum_m beta_mk sum_j eta_mj gamma_mj + 1),   r_mjk = sqrt(rho_k / rho_j) beta_mk / beta_mj
 * Uplink-downlink duality bounds the least SINR from above for any AP prices and virtual powers; the beams they give
 * are a feasible point below: the two certify each other. An iteration costs about M K^2 + 60 K^2 + 40 M K
 * multiply-adds. Create allocates, execute does not allocate, lock or block; one handle per thread. */
#ifndef TUTTI_CONTROL_MAXMIN_CB_H
#define TUTTI_CONTROL_MAXMIN_CB_H

#include "base/types.h"

struct maxmin_cb_network {
    int n_ap, n_ant, n_ue;
    const double *beta;        /* [n_ap][n_ue] >= 0 */
    const double *gamma;       /* [n_ap][n_ue] variance of the estimates, 0 to beta */
    const double *P;           /* [n_ap] >= 0 */
    const int *pilot;          /* [n_ue] number of each user's pilot; NULL = all different */
    const double *pilot_power; /* [n_ue] > 0, only ratios count; NULL = equal */
};

/* MMSE estimation: c and gamma [n_ap][n_ue] of pilots of length tau, beta and pilots as above. */
void maxmin_cb_statistics(const struct maxmin_cb_network *network, int tau, double *c, double *gamma);
/* The closed form: sinr [n_ue] of any eta [n_ap][n_ue] >= 0. */
void maxmin_cb_sinr(const struct maxmin_cb_network *network, const double *eta, double *sinr);

struct maxmin_cb_result {
    double lower; /* least SINR of the users that somebody hears, with the eta returned */
    double upper; /* no eta gives all of them more */
    int iterations;
    int n_unheard; /* users that no AP with power has an estimate of: left out, their eta is 0 */
};

typedef struct maxmin_cb maxmin_cb_t;

/* 0, or TUTTI_ENOMEM. */
int maxmin_cb_create(maxmin_cb_t **maxmin, int n_ap, int n_ant, int n_ue);
void maxmin_cb_destroy(maxmin_cb_t *maxmin); /* NULL allowed */
/* eta [n_ap][n_ue], always finite and within the budgets, N sum_k eta_mk gamma_mk <= P_m. Stops at upper - lower <=
 * tolerance * upper or after max_iterations. The network may be smaller than the handle. Returns 0, or TUTTI_ENUMERIC
 * when the gap is wider than the tolerance or somebody is left out. */
int maxmin_cb_execute(maxmin_cb_t *maxmin, const struct maxmin_cb_network *network, double tolerance,
                      int max_iterations, double *eta, struct maxmin_cb_result *result);

#endif
