/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regularised zero-forcing over all APs. */
#include "linalg/small.h"
#include "mimo/scheme.h"

/* Far below what single precision resolves: keeps the factor positive where lambda G drowns the noise. */
static const double RIDGE = 1e-13;

/* u_k = (I + sum_j lambda (h_j h_j^H + diag(E_j)))^-1 h_k, lambda = sum_m P_m / K: the MMSE receiver of the dual uplink
 * in which the users share the sum power equally. With D = I + lambda sum_j diag(E_j) it is D^-1 H (I + lambda H^H D^-1
 * H)^-1. */
static void beams(struct precoder *p)
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
        const bool diagonal = i % (n + 1) == 0;
        p->Gr[i] = diagonal ? 1 + lambda * p->Gr[i] * (1 + RIDGE) : lambda * p->Gr[i];
        p->Gi[i] *= lambda;
    }
    small_cholesky(n, p->Gr, p->Gi, 0); /* positive definite */
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
    for (int r = 0; r < q->n_row; r++) {
        for (int k = 0; k < n; k++) {
            p->Ur[r * n + k] *= inverse_D[r / q->n_ant];
            p->Ui[r * n + k] *= inverse_D[r / q->n_ant];
        }
    }
}

int scheme_rzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    beams(p);
    scheme_amplitudes_by(p, power, channel, solution);
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
