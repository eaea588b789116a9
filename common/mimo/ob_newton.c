/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One Newton step of the optimum's dual: second derivatives, reduction to the AP prices, step to the boundary. */
#include "base/error.h"
#include "linalg/small.h"
#include "mimo/ob_core.h"

#include <math.h>
#include <string.h>

static const double TO_BOUNDARY = 0.95; /* fraction of the way to the nearest zero */
static const double STEP_MIN = 1e-3;    /* a shorter step counts as a failure */

void ob_jacobians(struct ob *o)
{
    const int n = o->problem.n_ue;
    for (int k = 0; k < n; k++) {
        const double own = ob_leak(o, k, k);
        for (int j = 0; j < n; j++) {
            o->J[k * n + j] = ((j == k ? 0 : ob_leak(o, j, k)) + o->EB[j * o->ld_ue + k]) / own;
        }
        for (int m = 0; m < o->ld_ap; m++) {
            o->Q[k * o->ld_ap + m] = o->b[k * o->ld_ap + m] / own;
        }
    }
}

int ob_invert_coupling(struct ob *o)
{
    const int n = o->problem.n_ue;
    for (int i = 0; i < n * n; i++) {
        o->Am[i] = -o->J[i];
    }
    for (int k = 0; k < n; k++) {
        o->Am[k * n + k] += o->tau;
    }
    return small_inverse(n, o->Am, o->Ainv) ? TUTTI_ENUMERIC : 0;
}

void ob_unused_power(const struct ob *o, const double *rho, double *out)
{
    const int n = o->problem.n_ue;
    for (int m = 0; m < o->problem.n_ap; m++) {
        out[m] = 1;
    }
    for (int k = 0; k < n; k++) {
        for (int m = 0; m < o->problem.n_ap; m++) {
            out[m] -= rho[k] * o->Q[k * o->ld_ap + m];
        }
    }
}

/* W_dd: second derivatives along D, sum_k c_k Re(v_mk^H (S^-1 - v_k v_k^H / g_k)_mn v_nk), whole matrix. */
static void hessian_prices(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const struct kernel_ops *ops = o->ops;
    const int n = p->n_ue, ld = o->ld_ap;
    memset(o->W, 0, (size_t)(ld * ld) * sizeof *o->W);
    for (int k = 0; k < n; k++) {
        for (int m = 0; m < ld; m++) {
            o->W[m * ld + m] += o->c[k] * o->b[k * ld + m] * o->inverse_D[m];
            o->Y[k * ld + m] = -o->c[k] * o->lambda[k] / (o->sinr[k] / (1 + o->sinr[k])) * o->b[k * ld + m];
        }
    }
    ops->gemm(p->n_ap, n, ld, o->Y, 1, ld, o->b, ld, o->W, ld, true);
    /* minus sum_k c_k Re(v_mk^H Z_m Z_n^H v_nk): by antenna pairs, or for many antennas by the n_ue^2 numbers v_mk^H
     * Z_mj */
    if (4 * p->n_ant * p->n_ant <= n || p->n_ant == 1) {
        for (int k = 0; k < 2 * n; k++) {
            for (int r = 0; r < o->ld; r++) {
                o->U[k * o->ld + r] = o->c[k % n] * o->V[k * o->ld + r];
            }
        }
        for (int a = 0; a < p->n_ant; a++) {
            for (int e = 0; e < p->n_ant; e++) {
                ops->hadamard(n, p->n_ap, ld, o->ld, o->U + a * ld, o->U + n * o->ld + a * ld, o->V + e * ld,
                              o->V + n * o->ld + e * ld, o->Z + a * ld, o->Z + n * o->ld + a * ld, o->Z + e * ld,
                              o->Z + n * o->ld + e * ld, o->W);
            }
        }
    } else {
        for (int k = 0; k < n; k++) {
            memset(o->feature, 0, (size_t)(2 * n * ld) * sizeof *o->feature);
            for (int j = 0; j < n; j++) {
                for (int a = 0; a < p->n_ant; a++) {
                    const double *vr = o->V + k * o->ld + a * ld, *vi = vr + n * o->ld;
                    const double *zr = o->Z + j * o->ld + a * ld, *zi = zr + n * o->ld;
                    double *re = o->feature + j * ld, *im = o->feature + (n + j) * ld;
                    for (int m = 0; m < ld; m++) {
                        re[m] += vr[m] * zr[m] + vi[m] * zi[m];
                        im[m] += vr[m] * zi[m] - vi[m] * zr[m];
                    }
                }
            }
            for (int i = 0; i < 2 * n * ld; i++) {
                o->feature_weighted[i] = -o->c[k] * o->feature[i];
            }
            ops->gemm(p->n_ap, 2 * n, ld, o->feature_weighted, 1, ld, o->feature, ld, o->W, ld, true);
        }
    }
    for (int m = 0; m < p->n_ap; m++) {
        for (int i = 0; i < m; i++) {
            o->W[m * ld + i] = o->W[i * ld + m];
        }
    }
}

/* W_dh [j][m]: mixed derivatives along D and along the rank-one parts h_j h_j^H, into Wlq. */
static void hessian_mixed(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue, ld = o->ld_ap;
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            o->Gr[k * n + j] = o->c[k] * o->Cr[k * n + j];
            o->Gi[k * n + j] = o->c[k] * o->Ci[k * n + j];
        }
    }
    ob_mix(o, o->V, o->Gr, o->Gi, NULL, o->U);
    memset(o->Wlq, 0, (size_t)(n * ld) * sizeof *o->Wlq);
    for (int j = 0; j < n; j++) {
        for (int a = 0; a < p->n_ant; a++) {
            const double *ur = o->U + j * o->ld + a * ld, *ui = ur + n * o->ld;
            const double *vr = o->V + j * o->ld + a * ld, *vi = vr + n * o->ld;
            double *w = o->Wlq + j * ld;
            for (int m = 0; m < ld; m++) {
                w[m] += ur[m] * vr[m] + ui[m] * vi[m];
            }
        }
    }
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
            o->Am[j * n + k] = -o->c[k] / o->Cr[k * n + k] * ob_leak(o, j, k);
        }
    }
    o->ops->gemm(n, n, ld, o->Am, n, 1, o->b, ld, o->Wlq, ld, false);
}

/* W_hh [i][j] = sum_k c_k Re(conj(C_ik) C_jk (C_ij - C_ik C_kj / g_k)); the term is zero for k = i and k = j. */
static void hessian_users(struct ob *o)
{
    const int n = o->problem.n_ue;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double s = 0;
            for (int k = 0; k < n; k++) {
                if (k == i || k == j) {
                    continue;
                }
                const double ar = o->Cr[i * n + k], ai = -o->Ci[i * n + k], br = o->Cr[j * n + k],
                             bi = o->Ci[j * n + k];
                const double pr = ar * br - ai * bi, pi = ar * bi + ai * br; /* conj(C_ik) C_jk */
                s += o->c[k] * (pr * o->Cr[i * n + j] - pi * o->Ci[i * n + j] - (pr * pr + pi * pi) / o->Cr[k * n + k]);
            }
            o->Wll[i * n + j] = o->Wll[j * n + i] = s;
        }
    }
}

/* Fold the error variances in: lambda_j moves D by E_j as well as along h_j h_j^H. Wlq = E W_dd + W_hd,
 * Wll = W_hh + E W_dd E^T + E W_dh + W_hd E^T. */
static void hessian_fold(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue, ld = o->ld_ap;
    memset(o->Y, 0, (size_t)(n * ld) * sizeof *o->Y);
    o->ops->gemm(n, p->n_ap, ld, o->E, ld, 1, o->W, ld, o->Y, ld, false);
    for (int i = 0; i < n * ld; i++) {
        o->X[i] = 0.5 * o->Y[i] + o->Wlq[i]; /* E W_dd E^T is symmetric: half of it on each side */
        o->Wlq[i] += o->Y[i];
    }
    o->ops->dots(n, n, ld, ld, o->E, o->X, o->Am);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            o->Wll[i * n + j] += o->Am[i * n + j] + o->Am[j * n + i];
        }
    }
}

/* W becomes the reduced matrix W_qq + Z/Q + Wlq^T X + X^T Wlq + X^T Wll X with X = (tau I - J)^-1 Q. */
static void reduce(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const struct kernel_ops *ops = o->ops;
    const int n = p->n_ue, ld = o->ld_ap;
    memset(o->X, 0, (size_t)(n * ld) * sizeof *o->X);
    ops->gemm(n, n, ld, o->Ainv, n, 1, o->Q, ld, o->X, ld, false);
    memcpy(o->Y, o->Wlq, (size_t)(n * ld) * sizeof *o->Y);
    for (int i = 0; i < n * n; i++) {
        o->Am[i] = 0.5 * o->Wll[i];
    }
    ops->gemm(n, n, ld, o->Am, n, 1, o->X, ld, o->Y, ld, false);
    ops->gemm(p->n_ap, n, ld, o->X, 1, ld, o->Y, ld, o->W, ld, true);
    ops->gemm(p->n_ap, n, ld, o->Y, 1, ld, o->X, ld, o->W, ld, true);
    for (int m = 0; m < p->n_ap; m++) {
        o->W[m * ld + m] += o->z[m] / o->q[m];
    }
}

/* y [n_ue] = A [n_ue][ld_ap] x */
static void times(const struct ob *o, const double *A, const double *x, double *y)
{
    for (int k = 0; k < o->problem.n_ue; k++) {
        y[k] = ob_dot(o->problem.n_ap, A + k * o->ld_ap, x);
    }
}

/* y [n_ap] += scale A^T x */
static void times_transposed(const struct ob *o, double scale, const double *A, const double *x, double *y)
{
    for (int k = 0; k < o->problem.n_ue; k++) {
        for (int m = 0; m < o->problem.n_ap; m++) {
            y[m] += scale * x[k] * A[k * o->ld_ap + m];
        }
    }
}

static void small_times(int n, const double *A, const double *x, double *y)
{
    for (int k = 0; k < n; k++) {
        y[k] = ob_dot(n, A + k * n, x);
    }
}

static void residuals(struct ob *o)
{
    const int n = o->problem.n_ue;
    for (int j = 0; j < n; j++) {
        o->r1[j] = o->tau * o->rho[j] - o->kappa;
        for (int k = 0; k < n; k++) {
            o->r1[j] -= o->rho[k] * o->J[k * n + j];
        }
        o->r3[j] = o->tau * o->lambda[j] - o->lambda[j] / o->sinr[j];
    }
    ob_unused_power(o, o->rho, o->r2);
    for (int m = 0; m < o->problem.n_ap; m++) {
        o->r2[m] -= o->z[m];
    }
}

/* Right-hand sides of the reduced system: s0 constant, s1 for d tau, s2 for d kappa; y and wv are d lambda / d tau and
 * the constant part of d lambda. */
static void right_hand_sides(struct ob *o, double mu)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    small_times(n, o->Ainv, o->lambda, o->y);
    small_times(n, o->Ainv, o->r3, o->wv);
    for (int k = 0; k < n; k++) {
        o->y[k] = -o->y[k];
        o->wv[k] = -o->wv[k];
    }
    for (int m = 0; m < n_ap; m++) {
        o->s0[m] = -o->r2[m] + mu / o->q[m] - o->z[m];
        o->s1[m] = o->s2[m] = 0;
    }
    times_transposed(o, -1, o->Wlq, o->wv, o->s0);
    times_transposed(o, 1, o->Wlq, o->y, o->s1);
    small_times(n, o->Wll, o->wv, o->t);
    for (int k = 0; k < n; k++) {
        o->t[k] += o->r1[k];
    }
    times_transposed(o, -1, o->X, o->t, o->s0);
    small_times(n, o->Wll, o->y, o->t);
    for (int k = 0; k < n; k++) {
        o->t[k] += o->rho[k];
    }
    times_transposed(o, 1, o->X, o->t, o->s1);
    for (int k = 0; k < n; k++) {
        o->t[k] = 1;
    }
    times_transposed(o, 1, o->X, o->t, o->s2);
}

/* d tau and d kappa from the two normalisations; dq holds the column sums of X on entry. */
static void solve_scalars(const struct ob *o, double *dtau, double *dkappa)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    const double a11 = ob_sum(n, o->y) - ob_dot(n_ap, o->dq, o->s1), a12 = ob_dot(n_ap, o->dq, o->s2);
    const double a21 = -ob_sum(n_ap, o->s1), a22 = ob_sum(n_ap, o->s2);
    const double b1 = 1 - ob_sum(n, o->lambda) - ob_sum(n, o->wv) - ob_dot(n_ap, o->dq, o->s0);
    const double b2 = 1 - ob_sum(n_ap, o->q) - ob_sum(n_ap, o->s0);
    const double det = a11 * a22 - a12 * a21;
    *dtau = (b1 * a22 - a12 * b2) / det;
    *dkappa = (a11 * b2 - a21 * b1) / det;
}

static void solve_direction(struct ob *o, double mu, double *dtau, double *dkappa)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    right_hand_sides(o, mu);
    memcpy(o->dq, o->s2, (size_t)n_ap * sizeof *o->dq);
    o->ops->cholesky_solve(n_ap, o->ld_ap, o->W, 1, o->s0);
    o->ops->cholesky_solve(n_ap, o->ld_ap, o->W, 1, o->s1);
    o->ops->cholesky_solve(n_ap, o->ld_ap, o->W, 1, o->s2);
    solve_scalars(o, dtau, dkappa);
    for (int m = 0; m < n_ap; m++) {
        o->dq[m] = o->s0[m] - o->s1[m] * *dtau + o->s2[m] * *dkappa;
        o->dz[m] = mu / o->q[m] - o->z[m] - o->z[m] / o->q[m] * o->dq[m];
    }
    times(o, o->X, o->dq, o->dl);
    for (int k = 0; k < n; k++) {
        o->dl[k] += o->y[k] * *dtau + o->wv[k];
    }
    times(o, o->Wlq, o->dq, o->y);
    small_times(n, o->Wll, o->dl, o->t);
    for (int k = 0; k < n; k++) {
        o->t[k] = -o->r1[k] - o->t[k] - o->y[k] - o->rho[k] * *dtau + *dkappa;
    }
    for (int j = 0; j < n; j++) {
        o->drho[j] = 0;
        for (int k = 0; k < n; k++) {
            o->drho[j] += o->Ainv[k * n + j] * o->t[k];
        }
    }
}

static double step_length(int n, const double *x, const double *dx, double step)
{
    for (int i = 0; i < n; i++) {
        if (x[i] + step * dx[i] <= (1 - TO_BOUNDARY) * x[i]) {
            step = TO_BOUNDARY * x[i] / -dx[i];
        }
    }
    return step;
}

int ob_newton(struct ob *o)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    ob_jacobians(o);
    if (ob_invert_coupling(o)) {
        return TUTTI_ENUMERIC;
    }
    residuals(o);
    for (int k = 0; k < n; k++) {
        o->c[k] = 2 * o->rho[k] / ob_leak(o, k, k);
    }
    /* Z = D^-1 H sqrt(Lambda) L^-H, so that S^-1 = D^-1 - Z Z^H */
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
            o->Gr[j * n + k] = o->sl[j] * o->Lr[k * n + j];
            o->Gi[j * n + k] = -o->sl[j] * o->Li[k * n + j];
        }
    }
    ob_mix(o, o->H, o->Gr, o->Gi, o->inverse_D, o->Z);
    hessian_prices(o);
    hessian_mixed(o);
    hessian_users(o);
    hessian_fold(o);
    reduce(o);
    if (o->ops->cholesky(n_ap, o->ld_ap, o->W)) {
        return TUTTI_ENUMERIC;
    }
    double dtau, dkappa;
    solve_direction(o, o->centering * ob_dot(n_ap, o->q, o->z) / n_ap, &dtau, &dkappa);
    double step = step_length(1, &o->tau, &dtau, 1);
    step = step_length(n_ap, o->q, o->dq, step);
    step = step_length(n, o->lambda, o->dl, step);
    double dual = step_length(n_ap, o->z, o->dz, 1);
    dual = step_length(n, o->rho, o->drho, dual);
    if (!(step > STEP_MIN && dual > STEP_MIN)) {
        return TUTTI_ENUMERIC;
    }
    for (int m = 0; m < n_ap; m++) {
        o->q[m] += step * o->dq[m];
        o->z[m] += dual * o->dz[m];
    }
    for (int k = 0; k < n; k++) {
        o->lambda[k] += step * o->dl[k];
        o->rho[k] += dual * o->drho[k];
    }
    o->tau += step * dtau;
    o->kappa += dual * dkappa;
    return isfinite(o->tau) && isfinite(o->kappa) ? 0 : TUTTI_ENUMERIC;
}
