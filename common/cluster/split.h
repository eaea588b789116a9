/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the estimates of pilots to those of the users that share them. At one AP, with scalar fading, the estimates of
 * users on one pilot are collinear: ghat_k = (beta_k / B) shat with shat the MMSE estimate of the pilot's sum, B its
 * gain (Demir, Bjornson, Sanguinetti 2021, eq. (4.5), with R = beta I). So an AP tells shat, B and the error of every
 * pilot and, now and then, every user's gain. With gamma = B - E of the pilot and r = beta_k / sum_j beta_j over those
 * that sent it: gamma_k = r^2 gamma, beta_k = r B, e_k = beta_k - gamma_k + gamma var(r). Pure functions, no
 * allocation; O(n_ue n_ue) and O(rows n_ue). */
#ifndef TUTTI_CLUSTER_SPLIT_H
#define TUTTI_CLUSTER_SPLIT_H

#include "base/types.h"

/* One block at one AP, downlink units. */
struct split_pilots {
    int n_pilot, n_ue;
    const int *sequence;                /* [n_ue] the pilot that each user sent, -1 = none */
    const float *beta, *error_variance; /* [n_pilot] of the pilots' sums */
    const float *gain, *gain_variance;  /* [n_ue] large-scale gains of the users, and of their errors */
};

/* factor [n_ue]: what a user's estimate is of its pilot's, 0 without one. beta, error_variance [n_ue]: of the users,
 * both the gain where there is no estimate. */
void split_factors(const struct split_pilots *pilots, float *factor, float *beta, float *error_variance);
/* H [n_row][n_ue] from P [n_row][n_pilot]. */
void split_rows(int n_row, const struct split_pilots *pilots, const float *factor, const tutti_cf32 *P, tutti_cf32 *H);

#endif
