/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradient descent on the mean squared error (GDPA, RGDPA of [Mashdour 2026]; their step sizes are not known to us):
 * J(p) = n - 2 sqrt(rho) sum_k Re(B_kk) p_k + sum_k h_k p_k^2 + n sigma2 with h_k = rho sum_j |B_jk|^2 + Lambda_k, from
 * equal powers, with the step 1 / (2 max h) and a projection after every step. J is separable: without the budget the
 * fixed point is block_solve, so nothing is gained by it; it is here because the paper compares with it. 4 n^2 flops,
 * and 4 n per iteration. */
#ifndef TUTTI_RLSPA_DESCENT_H
#define TUTTI_RLSPA_DESCENT_H

#include "rlspa/links.h"

/* Lambda [n], NULL = 0 (GDPA); h [n] is work; p [n]. */
void descent_solve(const struct links *links, const double *Lambda, int iterations, enum links_policy policy, double *h,
                   double *p);

#endif
