/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zero-forcing over all APs. */
#include "base/error.h"
#include "linalg/small.h"
#include "mimo/scheme.h"

#include <math.h>

/* Smallest pivot of the users' correlation matrix (unit diagonal) that zero-forcing is tried with: the sine squared of
 * the angle between a user and the others. Below it the beams lose more than 100 dB. */
static const double ZF_PIVOT_MIN = 1e-10;

/* Zero-forcing beams U = H_n (H_n^H H_n)^-1 with H_n the channels scaled to unit norm, so that users 60 dB apart do not
 * spoil the conditioning; then u_k = norm_k a_k of spec ob. Nonzero when the users are not linearly independent. */
static int beams_zf(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    if (n > q->n_row) {
        return n;
    }
    small_gram(q->n_row, n, q->Hr, q->Hi, NULL, 1, p->Gr, p->Gi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            const double scale = 1 / (q->norm[k] * q->norm[j]);
            p->Gr[k * n + j] *= scale;
            p->Gi[k * n + j] *= scale;
        }
    }
    const int rc = small_cholesky(n, p->Gr, p->Gi, ZF_PIVOT_MIN);
    if (rc) {
        return rc;
    }
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            p->Xr[k * n + j] /= q->norm[k];
            p->Xi[k * n + j] /= q->norm[k];
        }
    }
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
    return 0;
}

static int powers_zf(struct precoder *p, enum mimo_power power)
{
    if (beams_zf(p)) {
        return TUTTI_ENUMERIC;
    }
    if (power == MIMO_POWER_MAXMIN) {
        return scheme_amplitudes_maxmin(p);
    }
    for (int k = 0; k < p->problem.n_ue; k++) {
        p->noise[k] = 1 / p->problem.norm[k]; /* equal received power: w_k = c a_k */
    }
    scheme_amplitudes_common(p, p->noise);
    return 0;
}

int scheme_zf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    if (powers_zf(p, power)) {
        scheme_cb_solve(p, power, channel, solution);
        return MIMO_REASON_SINGULAR;
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
