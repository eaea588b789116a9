/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regularised zero-forcing over all APs. */
#include "base/error.h"
#include "linalg/small.h"
#include "mimo/scheme.h"

#include <math.h>

/* Regularised zero-forcing: the MMSE receiver of the dual uplink in which the users share the sum power equally,
 * u_k = (I + sum_j lambda (h_j h_j^H + diag(E_j)))^-1 h_k, lambda = sum_m P_m / K, scaled to unit norm. */
static int beams_rzf(struct precoder *p, enum mimo_power power)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    double lambda = 0;
    for (int m = 0; m < q->n_ap; m++) {
        lambda += q->P[m] / n;
    }
    double *inverse_D = p->B; /* free until the powers are computed */
    for (int m = 0; m < q->n_ap; m++) {
        double d = 1;
        for (int k = 0; k < n; k++) {
            d += lambda * q->E[m * n + k];
        }
        inverse_D[m] = 1 / d;
    }
    small_gram(q->n_row, n, q->Hr, q->Hi, inverse_D, q->n_ant, p->Gr, p->Gi);
    for (int i = 0; i < n * n; i++) {
        p->Gr[i] = lambda * p->Gr[i] + (i % (n + 1) == 0);
        p->Gi[i] *= lambda;
    }
    if (small_cholesky(n, p->Gr, p->Gi, 0)) {
        return TUTTI_ENUMERIC;
    }
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
    double energy[TUTTI_MAX_UE] = {0};
    for (int r = 0; r < q->n_row; r++) {
        for (int k = 0; k < n; k++) {
            p->Ur[r * n + k] *= inverse_D[r / q->n_ant];
            p->Ui[r * n + k] *= inverse_D[r / q->n_ant];
            energy[k] += p->Ur[r * n + k] * p->Ur[r * n + k] + p->Ui[r * n + k] * p->Ui[r * n + k];
        }
    }
    for (int k = 0; k < n; k++) {
        p->noise[k] = 1 / sqrt(energy[k]);
    }
    if (power == MIMO_POWER_MAXMIN) {
        return scheme_amplitudes_maxmin(p);
    }
    scheme_amplitudes_common(p, p->noise);
    return 0;
}

int scheme_rzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    if (beams_rzf(p, power)) {
        scheme_cb_solve(p, power, channel, solution);
        return MIMO_REASON_SINGULAR;
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
