/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Robust least-squares power allocation at block level: the cost of [Mashdour 2026], eqs. (15), (16), in its mean over
 * the symbols, one vector p per block. With E x x^H = Cx and Q = B^H B the normal matrix is rho Re(Q o Cx^*) + Lambda,
 * the right-hand side sqrt(rho) Re diag(B^H Cx); for Cx = I all is diagonal. No allocation, no lock. */
#ifndef TUTTI_RLSPA_BLOCK_H
#define TUTTI_RLSPA_BLOCK_H

#include "rlspa/links.h"

enum block_ridge {
    BLOCK_NONE,  /* Lambda = 0: channel inversion */
    BLOCK_LAM,   /* the mean of eq. (27): rho eps2 sum_k w2_k Cx_kk, the same for everybody */
    BLOCK_WC,    /* the worst error on the sphere, tight: rho eps2 w2_k Cx_kk */
    BLOCK_BAYES, /* the mean over the errors, which solves eq. (8) exactly: rho Cx_kk (W^H Gamma W)_kk */
    BLOCK_WIENER /* bayes + w2_k n sigma2 / Pt: with a common receiver gain; to be followed by LINKS_FULL */
};

struct block_error {
    double eps2;         /* bound on, or mean of, ||Gtil||_F^2 */
    const double *power; /* [n] (W^H Gamma W)_kk, beams_error_power */
};

/* Lambda [n]; cx [n] = diag Cx, NULL = 1. */
void block_ridge(enum block_ridge kind, const struct links *links, const struct block_error *error, const double *cx,
                 double *Lambda);
/* p [n] for Cx = I: 4 n^2 flops for the whole block. The policy may be LINKS_RAW. */
void block_solve(const struct links *links, const double *Lambda, enum links_policy policy, double *p);

/* Cx [n][n] of the block's symbols X [n][T]. */
void block_covariance(int n, int T, const struct split *X, struct split *Cx);
size_t block_work(int n); /* doubles */
/* p [n] for any Cx; singular systems give the solution of least norm. 4 n^3 flops. */
void block_solve_full(const struct links *links, const struct split *Cx, const double *Lambda, enum links_policy policy,
                      double *work, double *p);

#endif
