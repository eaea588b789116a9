/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The links that all power allocations of this room work on, and the projections onto the budget. Power-allocation
 * factors p are amplitudes: user k gets p_k^2 ||w_k||^2, and sum_k w2_k p_k^2 <= Pt. */
#ifndef TUTTI_RLSPA_LINKS_H
#define TUTTI_RLSPA_LINKS_H

#include "rlspa/split.h"

struct links {
    int n;
    double rho, Pt, sigma2; /* > 0: downlink scale, budget, noise variance */
    struct split B;         /* [n][n] = Ghat^T W */
    const double *w2;       /* [n] = ||w_k||^2 */
};

enum links_policy {
    LINKS_RAW,   /* no constraint */
    LINKS_PAPER, /* eq. (28), then (29): scaled down to the budget, then negative ones to 0; leaves budget unused */
    LINKS_SWAP,  /* (29), then (28): the Euclidean projection when all w2 are 1 */
    LINKS_FULL   /* (29), then scaled to the whole budget */
};

/* In place on p [n], stride doubles apart. All negative or zero: p = 0, whatever the policy but LINKS_RAW. */
void links_project(const struct links *links, enum links_policy policy, double *p, size_t stride);
double links_power(const struct links *links, const double *p, size_t stride); /* sum_k w2_k p_k^2 */
void links_equal(const struct links *links, double *p);                        /* EPA: the same p for everybody */

#endif
