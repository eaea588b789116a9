/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The exact constrained solution that robust least squares only projects to: minimise p^T N p - 2 r^T p over p >= 0
 * with sum_k w2_k p_k^2 <= Pt. There is a multiplier mu >= 0 of the budget with p = the non-negative least squares of
 * N + mu diag(w2) (Lawson, Hanson 1974: active sets), and the power falls with mu, so mu is bisected. A yardstick: one
 * to two orders of magnitude dearer than the unconstrained solution. Create allocates, execute does not. */
#ifndef TUTTI_RLSPA_NNLS_H
#define TUTTI_RLSPA_NNLS_H

#include "rlspa/links.h"

typedef struct nnls nnls_t;

int nnls_create(nnls_t **nnls, int n_max); /* 0, or TUTTI_ENOMEM */
void nnls_destroy(nnls_t *nnls);           /* NULL allowed */
/* N [n][n] symmetric positive semidefinite (left alone), r [n]; p [n] is written, always finite. Returns mu, 0 when the
 * budget is not reached. Of links only n, w2 and Pt count. */
double nnls_execute(nnls_t *nnls, const struct links *links, const double *N, const double *r, double *p);

#endif
