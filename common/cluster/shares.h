/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downlink powers of clusters (Demir, Bjornson, Sanguinetti 2021, eq. (7.43) and the local rule of 7.2): from
 * large-scale figures alone, every AP within its budget in the mean. No allocation; O(n_ap n_ue). */
#ifndef TUTTI_CLUSTER_SHARES_H
#define TUTTI_CLUSTER_SHARES_H

#include <stdint.h>

/* rho [n_ue]: user k's power over all its APs, of which AP l sends the share w_lk = E||v_lk||^2 / E||v_k||^2
 * [n_ap][n_ue]. upsilon weighs gains (-1: everybody receives the same, 0: equal, 1: the strong gain; the book's -0.5),
 * kappa the largest share (0.5). P [n_ap] are the budgets. weight [n_ue] is work. Users that nobody serves get 0. */
void shares_central(int n_ap, int n_ue, const uint8_t *served, const double *beta, const double *w, const double *P,
                    double upsilon, double kappa, double *weight, double *rho);
/* rho [n_ap][n_ue] = P sqrt(beta_lk) / sum over the AP's users of sqrt(beta_li). */
void shares_local(int n_ap, int n_ue, const uint8_t *served, const double *beta, double P, double *rho);

#endif
