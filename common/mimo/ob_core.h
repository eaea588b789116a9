/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notation: q_m AP prices, lambda_k virtual uplink powers, S = diag(D) + sum_k lambda_k h_k h_k^H with
 * D_m = q_m + sum_k lambda_k e_mk, v_k = S^-1 h_k, g_k = h_k^H v_k, C = H^H S^-1 H. Rows are scaled by sqrt(P_m), so
 * every budget is 1.
 *
 * The dual is: maximise tau over lambda, q with sum lambda = sum q = 1 and tau lambda_k <= f_k(lambda, q) - lambda_k,
 * where f_k = 1 / g_k is concave and homogeneous of degree one; the optimum SINR is 1 / tau. Its multipliers are the
 * downlink powers rho_k of the beams v_k / g_k, and those of q >= 0 are the unused powers z_m. Optimality conditions,
 * q_m z_m relaxed to mu: r1_j = tau rho_j - sum_k rho_k J_kj - kappa = 0          J_kj = d(f_k - lambda_k)/d lambda_j
 *     r2_m = 1 - sum_k rho_k Q_km - z_m = 0                    Q_km = d f_k / d q_m = ||v_mk||^2 / g_k^2
 *     r3_k = tau lambda_k - (f_k - lambda_k) = 0,  r4 = sum lambda - 1 = 0,  r5 = sum q - 1 = 0
 * Newton eliminates lambda (K x K) and rho, leaving an M x M positive definite system in q. */
#ifndef TUTTI_MIMO_OB_CORE_H
#define TUTTI_MIMO_OB_CORE_H

#include "linalg/kernel.h"
#include "mimo/ob.h"
#include "mimo/problem.h"

struct ob {
    struct mimo_shape shape;
    const struct kernel_ops *ops;
    struct mimo_problem problem;
    double *storage;
    int ld_ap, ld_ue, ld; /* padded APs, padded users, n_ant * ld_ap */
    /* [2 n_ue][ld], real rows then imaginary rows; column a * ld_ap + m */
    double *H, *V, *Z, *U, *best;
    double *coef;                                       /* [2 n_ue][2 n_ue] real form of a complex n_ue x n_ue matrix */
    double *E, *b, *Q, *X, *Wlq, *Y;                    /* [n_ue][ld_ap] */
    double *feature, *feature_weighted;                 /* [2 n_ue][ld_ap] */
    double *W;                                          /* [ld_ap][ld_ap] */
    double *bT, *EB;                                    /* [ld_ap][ld_ue], [n_ue][ld_ue] */
    double *Gr, *Gi, *Lr, *Li, *Ar, *Ai, *Cr, *Ci;      /* [n_ue][n_ue] */
    double *J, *Am, *Ainv, *Wll, *F, *work;             /* [n_ue][n_ue]; work [n_ue][n_ue + 1] */
    double *inverse_D;                                  /* [ld] */
    double *q, *z, *dq, *dz, *r2, *s0, *s1, *s2, *ones; /* [ld_ap] */
    double *lambda, *rho, *dl, *drho, *sinr, *noise, *p, *sl, *c, *r1, *r3, *y, *wv, *t, *diagonal; /* [n_ue] */
    double tau, kappa, centering;
    double lower, upper;
    /* identity of the last solution */
    int last_n_ap, last_n_ue, *last_ap, *last_ue; /* [n_ap], [n_ue] of the shape */
};

static inline double ob_sum(int n, const double *x)
{
    double s = 0;
    for (int i = 0; i < n; i++) {
        s += x[i];
    }
    return s;
}

static inline double ob_dot(int n, const double *x, const double *y)
{
    double s = 0;
    for (int i = 0; i < n; i++) {
        s += x[i] * y[i];
    }
    return s;
}

static inline double ob_leak(const struct ob *o, int k, int j)
{
    const int i = k * o->problem.n_ue + j;
    return o->Cr[i] * o->Cr[i] + o->Ci[i] * o->Ci[i];
}

/* out [2n][ld] = in (complex columns) times the complex matrix (Tr + i Ti), times weight per column of ld (NULL = 1).
 */
void ob_mix(struct ob *o, const double *in, const double *Tr, const double *Ti, const double *weight, double *out);
/* J and Q, the Jacobians of f at the current point. */
void ob_jacobians(struct ob *o);
/* Ainv = (tau I - J)^-1; nonzero when it is singular. */
int ob_invert_coupling(struct ob *o);
/* What the downlink powers rho leave of each budget. */
void ob_unused_power(const struct ob *o, const double *rho, double *out);
/* One Newton step from the evaluated point; nonzero when it cannot be taken. */
int ob_newton(struct ob *o);

#endif
