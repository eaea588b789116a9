/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zero-forcing over all APs. */
#include "linalg/small.h"
#include "mimo/scheme.h"

#include <math.h>

/* Pivots of the users' correlation matrix (unit diagonal) are the sine squared of the angle between a user and those
 * before it. Below ZF_PIVOT_MIN the beams lose more than 100 dB and zero-forcing is not tried. */
static const double ZF_PIVOT_MIN = 1e-10;

/* Correlation matrix of the users, unit diagonal, and its Cholesky factor. Returns the smallest pivot; 0 = not tried.
 */
static double factor(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    small_gram(q->n_row, n, q->Hr, q->Hi, NULL, 1, p->Gr, p->Gi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            const double scale = 1 / q->norm[k] / q->norm[j];
            p->Gr[k * n + j] *= scale;
            p->Gi[k * n + j] *= scale;
        }
    }
    if (small_cholesky(n, p->Gr, p->Gi, ZF_PIVOT_MIN)) {
        return 0;
    }
    double least = 1;
    for (int k = 0; k < n; k++) {
        least = fmin(least, p->Gr[k * n + k] * p->Gr[k * n + k]);
    }
    return least;
}

/* U = H_n (H_n^H H_n)^-1 with H_n the channels scaled to unit norm, so that users 60 dB apart do not spoil the
 * conditioning: u_k = norm_k a_k with a_k of H (H^H H)^-1. */
static void beams(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            p->Xr[k * n + j] /= q->norm[k];
            p->Xi[k * n + j] /= q->norm[k];
        }
    }
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
}

/* Returns the smallest pivot; with 0 nothing is written. */
static double zero_force(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                         struct mimo_solution *solution)
{
    const double pivot = factor(p);
    if (!(pivot > 0)) {
        return 0;
    }
    beams(p);
    if (power == MIMO_POWER_EQUAL_RECEIVED) {
        for (int k = 0; k < p->problem.n_ue; k++) {
            p->noise[k] = 1 / p->problem.norm[k]; /* w_k = c a_k */
        }
        scheme_amplitudes_common(p, p->noise);
    } else {
        scheme_amplitudes_by(p, power, channel, solution);
    }
    scheme_store(p, solution);
    return pivot;
}

/* Both were tried where users are nearly dependent: there zero-forcing spends its power on telling them apart, RZF does
 * not. */
int scheme_zf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    if (p->problem.n_ue > p->problem.n_row) {
        scheme_rzf_solve(p, power, channel, solution);
        return MIMO_REASON_FEW_ANTENNAS;
    }
    const double pivot = zero_force(p, power, channel, solution);
    if (pivot >= MIMO_NEAR_SINGULAR) {
        return MIMO_REASON_ASKED;
    }
    const float zf = pivot > 0 ? scheme_least_sinr(p, channel, solution) : -1;
    scheme_rzf_solve(p, power, channel, solution);
    if (!(pivot > 0)) {
        return MIMO_REASON_SINGULAR;
    }
    if (scheme_least_sinr(p, channel, solution) > zf) {
        return MIMO_REASON_NEAR_SINGULAR;
    }
    zero_force(p, power, channel, solution);
    return MIMO_REASON_ASKED;
}
