/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notation (spec ob): q_m AP prices, lambda_k virtual uplink powers, S = diag(D) + sum_k lambda_k h_k h_k^H with
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
#include "mimo/ob.h"

#include "base/clock.h"
#include "base/error.h"
#include "linalg/kernel.h"
#include "linalg/small.h"
#include "mimo/maxmin.h"
#include "mimo/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CENTERING = 0.15;     /* aim of each step: this fraction of the current complementarity */
static const double CENTERING_SAFE = 0.5; /* after a failure */
static const double TO_BOUNDARY = 0.95;   /* fraction of the way to the nearest zero */
static const double STEP_MIN = 1e-3;      /* a shorter step counts as a failure */
static const double COLD_SLACK = 0.5;     /* weighted share of power left unused at the start */
static const double BALANCED = 1.5;       /* largest over least dual SINR a start is content with */
static const double SAFE_SLACK = 0.9;
static const double WARM_SLACK = 0.02;

enum { FAILURES_MAX = 3, BALANCE_STEPS = 12 };

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
    double *lambda, *rho, *dl, *drho, *sinr, *noise, *p, *sl, *c, *r1, *r3, *y, *wv, *t; /* [n_ue] */
    double tau, kappa, centering;
    double lower, upper;
    /* identity of the last solution */
    int last_n_ap, last_n_ue, last_ap[TUTTI_MAX_AP], last_ue[TUTTI_MAX_UE];
};

void ob_settings_default(struct ob_settings *settings)
{
    *settings = (struct ob_settings){.tolerance = 1e-3, .max_iterations = 60};
}

static int pad(int n)
{
    return (n + KERNEL_PAD - 1) / KERNEL_PAD * KERNEL_PAD;
}

/* Hands out the storage; with base NULL it only counts. */
struct cursor {
    double *base;
    size_t used;
};

static double *take(struct cursor *cursor, size_t n)
{
    double *p = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (n + 7) / 8 * 8;
    return p;
}

static void take_all(struct cursor *cursor, double **const *list, size_t n_list, size_t n)
{
    for (size_t i = 0; i < n_list; i++) {
        *list[i] = take(cursor, n);
    }
}

#define TAKE_ALL(cursor, n, ...)                                                                                       \
    take_all(cursor, (double **const[]){__VA_ARGS__}, sizeof((double **const[]){__VA_ARGS__}) / sizeof(double **), n)

static size_t place(struct ob *o, double *base)
{
    struct cursor cursor = {base, 0};
    const size_t k = (size_t)o->shape.n_ue, m = (size_t)pad(o->shape.n_ap), n = (size_t)o->shape.n_ant,
                 kp = (size_t)pad((int)k);
    double *const problem = take(&cursor, mimo_problem_size(&o->shape));
    if (base) {
        mimo_problem_place(&o->problem, &o->shape, problem);
    }
    TAKE_ALL(&cursor, 2 * k * m * n, &o->H, &o->V, &o->Z, &o->U, &o->best);
    TAKE_ALL(&cursor, 4 * k * k, &o->coef);
    TAKE_ALL(&cursor, k * m, &o->E, &o->b, &o->Q, &o->X, &o->Wlq, &o->Y);
    TAKE_ALL(&cursor, 2 * k * m, &o->feature, &o->feature_weighted);
    TAKE_ALL(&cursor, m * m, &o->W);
    TAKE_ALL(&cursor, m * kp, &o->bT);
    TAKE_ALL(&cursor, k * kp, &o->EB);
    TAKE_ALL(&cursor, k * (k + 1), &o->Gr, &o->Gi, &o->Lr, &o->Li, &o->Ar, &o->Ai, &o->Cr, &o->Ci, &o->J, &o->Am,
             &o->Ainv, &o->Wll, &o->F, &o->work);
    TAKE_ALL(&cursor, m * n, &o->inverse_D);
    TAKE_ALL(&cursor, m, &o->q, &o->z, &o->dq, &o->dz, &o->r2, &o->s0, &o->s1, &o->s2, &o->ones);
    TAKE_ALL(&cursor, k, &o->lambda, &o->rho, &o->dl, &o->drho, &o->sinr, &o->noise, &o->p, &o->sl, &o->c, &o->r1,
             &o->r3, &o->y, &o->wv, &o->t);
    return cursor.used;
}

int ob_create(ob_t **ob, const struct mimo_shape *shape)
{
    *ob = NULL;
    if (shape->n_ap < 1 || shape->n_ap > TUTTI_MAX_AP || shape->n_ant < 1 || shape->n_ant > TUTTI_MAX_ANT ||
        shape->n_ue < 1 || shape->n_ue > TUTTI_MAX_UE) {
        return error_set(TUTTI_EINVAL, "ob: %d APs, %d antennas, %d users; allowed 1 to %d, %d, %d", shape->n_ap,
                         shape->n_ant, shape->n_ue, TUTTI_MAX_AP, TUTTI_MAX_ANT, TUTTI_MAX_UE);
    }
    struct ob *o = calloc(1, sizeof *o);
    if (!o) {
        return error_set(TUTTI_ENOMEM, "ob: out of memory");
    }
    o->shape = *shape;
    o->ops = kernel_get();
    const size_t bytes = place(o, NULL) * sizeof(double);
    o->storage = aligned_alloc(64, bytes);
    if (!o->storage) {
        ob_destroy(o);
        return error_set(TUTTI_ENOMEM, "ob: out of memory for %zu bytes", bytes);
    }
    memset(o->storage, 0, bytes);
    place(o, o->storage);
    *ob = o;
    return 0;
}

void ob_destroy(ob_t *ob)
{
    if (!ob) {
        return;
    }
    free(ob->storage);
    free(ob);
}

/* Problem to solver layout; pads are zero. */
static void load(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue;
    o->ld_ap = pad(p->n_ap);
    o->ld_ue = pad(n);
    o->ld = p->n_ant * o->ld_ap;
    memset(o->H, 0, (size_t)(2 * n * o->ld) * sizeof *o->H);
    memset(o->E, 0, (size_t)(n * o->ld_ap) * sizeof *o->E);
    memset(o->bT, 0, (size_t)(o->ld_ap * o->ld_ue) * sizeof *o->bT);
    for (int m = 0; m < p->n_ap; m++) {
        const double scale = sqrt(p->P[m]);
        o->ones[m] = 1;
        for (int k = 0; k < n; k++) {
            o->E[k * o->ld_ap + m] = p->P[m] * p->E[m * n + k];
            for (int a = 0; a < p->n_ant; a++) {
                const int from = (m * p->n_ant + a) * n + k, to = k * o->ld + a * o->ld_ap + m;
                o->H[to] = scale * p->Hr[from];
                o->H[n * o->ld + to] = scale * p->Hi[from];
            }
        }
    }
}

static double sum(int n, const double *x)
{
    double s = 0;
    for (int i = 0; i < n; i++) {
        s += x[i];
    }
    return s;
}

static double dot(int n, const double *x, const double *y)
{
    double s = 0;
    for (int i = 0; i < n; i++) {
        s += x[i] * y[i];
    }
    return s;
}

/* out [2n][ld] = in (complex columns) times the complex matrix (Tr + i Ti), times weight per column of ld (NULL = 1).
 */
static void mix(struct ob *o, const double *in, const double *Tr, const double *Ti, const double *weight, double *out)
{
    const int n = o->problem.n_ue;
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
            o->coef[k * 2 * n + j] = o->coef[(n + k) * 2 * n + n + j] = Tr[j * n + k];
            o->coef[k * 2 * n + n + j] = -Ti[j * n + k];
            o->coef[(n + k) * 2 * n + j] = Ti[j * n + k];
        }
    }
    memset(out, 0, (size_t)(2 * n * o->ld) * sizeof *out);
    o->ops->gemm(2 * n, 2 * n, o->ld, o->coef, 2 * n, 1, in, o->ld, out, o->ld, false);
    for (int i = 0; i < 2 * n && weight; i++) {
        for (int r = 0; r < o->ld; r++) {
            out[i * o->ld + r] *= weight[r];
        }
    }
}

static void price_inverse(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    double *w = o->inverse_D;
    memcpy(w, o->q, (size_t)o->ld_ap * sizeof *w);
    o->ops->gemm(1, p->n_ue, o->ld_ap, o->lambda, 1, 1, o->E, o->ld_ap, w, o->ld_ap, false);
    for (int m = 0; m < o->ld_ap; m++) {
        w[m] = m < p->n_ap ? 1 / w[m] : 0;
    }
    for (int a = 1; a < p->n_ant; a++) {
        memcpy(w + a * o->ld_ap, w, (size_t)o->ld_ap * sizeof *w);
    }
}

/* Everything that depends on the dual point: inverse of I + B (B = sqrt(Lambda) G sqrt(Lambda)), uplink SINRs, C. */
static int evaluate(struct ob *o)
{
    const int n = o->problem.n_ue;
    price_inverse(o);
    o->ops->gram(n, o->ld, o->ld, o->H, o->H + n * o->ld, o->inverse_D, o->Gr, o->Gi);
    for (int k = 0; k < n; k++) {
        o->sl[k] = sqrt(o->lambda[k]);
    }
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            const double s = o->sl[k] * o->sl[j];
            o->Gr[k * n + j] = s * o->Gr[k * n + j] + (j == k);
            o->Gi[k * n + j] *= s;
        }
    }
    if (small_cholesky(n, o->Gr, o->Gi, 0)) {
        return TUTTI_ENUMERIC;
    }
    small_lower_inverse(n, o->Gr, o->Gi, o->Lr, o->Li);
    small_lower_square(n, o->Lr, o->Li, o->Ar, o->Ai);
    for (int k = 0; k < n; k++) {
        const double a = o->Ar[k * n + k];
        o->sinr[k] = (1 - a) / a;
        if (!(o->sinr[k] > 0) || !isfinite(o->sinr[k])) {
            return TUTTI_ENUMERIC;
        }
        for (int j = 0; j < n; j++) {
            const double s = 1 / (o->sl[k] * o->sl[j]);
            o->Cr[k * n + j] = s * ((j == k) - o->Ar[k * n + j]);
            o->Ci[k * n + j] = -s * o->Ai[k * n + j];
        }
    }
    return 0;
}

/* Beams V = S^-1 H = D^-1 H (I + Lambda G)^-1, their power per AP b, and EB_kj = sum_m e_mk b_mj. */
static void beams(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue;
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
            const double s = o->sl[j] / o->sl[k];
            o->Gr[j * n + k] = s * o->Ar[j * n + k];
            o->Gi[j * n + k] = s * o->Ai[j * n + k];
        }
    }
    mix(o, o->H, o->Gr, o->Gi, o->inverse_D, o->V);
    for (int k = 0; k < n; k++) {
        double *b = o->b + k * o->ld_ap;
        const double *vr = o->V + k * o->ld, *vi = o->V + (n + k) * o->ld;
        memset(b, 0, (size_t)o->ld_ap * sizeof *b);
        for (int a = 0; a < p->n_ant; a++) {
            for (int m = 0; m < o->ld_ap; m++) {
                const int r = a * o->ld_ap + m;
                b[m] += vr[r] * vr[r] + vi[r] * vi[r];
            }
        }
        for (int m = 0; m < p->n_ap; m++) {
            o->bT[m * o->ld_ue + k] = b[m];
        }
    }
    memset(o->EB, 0, (size_t)(n * o->ld_ue) * sizeof *o->EB);
    o->ops->gemm(n, p->n_ap, o->ld_ue, o->E, o->ld_ap, 1, o->bT, o->ld_ue, o->EB, o->ld_ue, false);
}

static double leak(const struct ob *o, int k, int j)
{
    const int i = k * o->problem.n_ue + j;
    return o->Cr[i] * o->Cr[i] + o->Ci[i] * o->Ci[i];
}

/* Best feasible use of the beams: remember them if they beat the best so far. */
static void primal(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue;
    for (int k = 0; k < n; k++) {
        const double own = leak(o, k, k);
        for (int j = 0; j < n; j++) {
            o->F[k * n + j] = ((j == k ? 0 : leak(o, k, j)) + o->EB[k * o->ld_ue + j]) / own;
        }
        o->noise[k] = 1 / own;
    }
    const double t = maxmin_power(n, p->n_ap, o->F, o->noise, o->bT, o->ld_ue, o->ones, o->p, o->work);
    if (!isfinite(t) || t <= o->lower) {
        return;
    }
    for (int k = 0; k < n; k++) {
        if (!(o->p[k] >= 0) || !isfinite(o->p[k])) {
            return;
        }
    }
    o->lower = t;
    for (int i = 0; i < 2 * n; i++) {
        const double amplitude = sqrt(o->p[i % n]);
        for (int r = 0; r < o->ld; r++) {
            o->best[i * o->ld + r] = amplitude * o->V[i * o->ld + r];
        }
    }
}

static int evaluate_bounds(struct ob *o)
{
    const int n = o->problem.n_ue;
    const int rc = evaluate(o);
    if (rc) {
        return rc;
    }
    double upper = 0;
    for (int k = 0; k < n; k++) {
        upper = fmax(upper, o->sinr[k]);
    }
    o->upper = fmin(o->upper, upper);
    beams(o);
    primal(o);
    return 0;
}

/* Jacobians of f at the current point. */
static void jacobians(struct ob *o)
{
    const int n = o->problem.n_ue;
    for (int k = 0; k < n; k++) {
        const double own = leak(o, k, k);
        for (int j = 0; j < n; j++) {
            o->J[k * n + j] = ((j == k ? 0 : leak(o, j, k)) + o->EB[j * o->ld_ue + k]) / own;
        }
        for (int m = 0; m < o->ld_ap; m++) {
            o->Q[k * o->ld_ap + m] = o->b[k * o->ld_ap + m] / own;
        }
    }
}

/* Am = (tau I - J)^-1. */
static int invert_coupling(struct ob *o)
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

static void unused_power(const struct ob *o, const double *rho, double *out)
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

/* Downlink powers that solve r1 = 0 for this tau; false if some are not positive. */
static bool powers_for(struct ob *o, double tau)
{
    const int n = o->problem.n_ue;
    o->tau = tau;
    if (invert_coupling(o)) {
        return false;
    }
    bool positive = true;
    for (int j = 0; j < n; j++) {
        o->rho[j] = 0;
        for (int k = 0; k < n; k++) {
            o->rho[j] += o->kappa * o->Ainv[k * n + j];
        }
        positive = positive && o->rho[j] > 0 && isfinite(o->rho[j]);
    }
    return positive;
}

/* A primal-dual starting point at the current q and roughly balanced lambda; slack = M mu. */
static int start(struct ob *o, double slack)
{
    const int n = o->problem.n_ue, m_max = o->problem.n_ap;
    for (int i = 0; i < BALANCE_STEPS; i++) {
        if (evaluate(o)) {
            return TUTTI_ENUMERIC;
        }
        double least = INFINITY, most = 0;
        for (int k = 0; k < n; k++) {
            least = fmin(least, o->sinr[k]);
            most = fmax(most, o->sinr[k]);
            o->lambda[k] /= o->sinr[k]; /* what user k's interference asks for at equal SINRs */
        }
        const double scale = 1 / sum(n, o->lambda);
        for (int k = 0; k < n; k++) {
            o->lambda[k] *= scale;
        }
        if (most < BALANCED * least) {
            break;
        }
    }
    if (evaluate(o)) {
        return TUTTI_ENUMERIC;
    }
    beams(o);
    jacobians(o);
    double mean = 0, most = 0;
    for (int k = 0; k < n; k++) {
        mean += 1 / o->sinr[k] / n;
        most = fmax(most, 1 / o->sinr[k]);
    }
    o->kappa = 1 - slack;
    if (!powers_for(o, mean) && !powers_for(o, most)) {
        return TUTTI_ENUMERIC;
    }
    unused_power(o, o->rho, o->z);
    for (int m = 0; m < m_max; m++) {
        o->z[m] = fmax(o->z[m], slack / m_max / o->q[m]);
    }
    return 0;
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
    mix(o, o->V, o->Gr, o->Gi, NULL, o->U);
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
            o->Am[j * n + k] = -o->c[k] / o->Cr[k * n + k] * leak(o, j, k);
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
        y[k] = dot(o->problem.n_ap, A + k * o->ld_ap, x);
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
        y[k] = dot(n, A + k * n, x);
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
    unused_power(o, o->rho, o->r2);
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
    const double a11 = sum(n, o->y) - dot(n_ap, o->dq, o->s1), a12 = dot(n_ap, o->dq, o->s2);
    const double a21 = -sum(n_ap, o->s1), a22 = sum(n_ap, o->s2);
    const double b1 = 1 - sum(n, o->lambda) - sum(n, o->wv) - dot(n_ap, o->dq, o->s0);
    const double b2 = 1 - sum(n_ap, o->q) - sum(n_ap, o->s0);
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

/* One Newton step from the evaluated point; nonzero when it cannot be taken. */
static int newton(struct ob *o)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    jacobians(o);
    if (invert_coupling(o)) {
        return TUTTI_ENUMERIC;
    }
    residuals(o);
    for (int k = 0; k < n; k++) {
        o->c[k] = 2 * o->rho[k] / leak(o, k, k);
    }
    /* Z = D^-1 H sqrt(Lambda) L^-H, so that S^-1 = D^-1 - Z Z^H */
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
            o->Gr[j * n + k] = o->sl[j] * o->Lr[k * n + j];
            o->Gi[j * n + k] = -o->sl[j] * o->Li[k * n + j];
        }
    }
    mix(o, o->H, o->Gr, o->Gi, o->inverse_D, o->Z);
    hessian_prices(o);
    hessian_mixed(o);
    hessian_users(o);
    hessian_fold(o);
    reduce(o);
    if (o->ops->cholesky(n_ap, o->ld_ap, o->W)) {
        return TUTTI_ENUMERIC;
    }
    double dtau, dkappa;
    solve_direction(o, o->centering * dot(n_ap, o->q, o->z) / n_ap, &dtau, &dkappa);
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

/* q and lambda inside the simplexes: the old point pulled towards the middle by share. */
static void centre(struct ob *o, double share)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    double q_sum = sum(n_ap, o->q), l_sum = sum(n, o->lambda);
    const bool usable = q_sum > 0 && l_sum > 0 && isfinite(q_sum) && isfinite(l_sum);
    if (!usable) {
        share = 1;
    }
    for (int m = 0; m < o->ld_ap; m++) {
        o->q[m] = m >= n_ap ? 0 : (share < 1 ? (1 - share) * o->q[m] / q_sum : 0) + share / n_ap;
    }
    for (int k = 0; k < n; k++) {
        o->lambda[k] = (share < 1 ? (1 - share) * o->lambda[k] / l_sum : 0) + share / n;
    }
}

static bool same_as_last(const struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    return o->last_n_ap == p->n_ap && o->last_n_ue == p->n_ue &&
           memcmp(o->last_ap, p->ap, (size_t)p->n_ap * sizeof *p->ap) == 0 &&
           memcmp(o->last_ue, p->ue, (size_t)p->n_ue * sizeof *p->ue) == 0;
}

static void remember(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    o->last_n_ap = p->n_ap;
    o->last_n_ue = p->n_ue;
    memcpy(o->last_ap, p->ap, sizeof p->ap);
    memcpy(o->last_ue, p->ue, sizeof p->ue);
}

/* The deadline is respected by stopping when another iteration of the last one's length would pass it. */
static bool out_of_time(const struct ob_settings *settings, uint64_t *previous_ns)
{
    if (!settings->deadline_mono_ns) {
        return false;
    }
    const uint64_t now = clock_mono_ns(), last = now - *previous_ns;
    *previous_ns = now;
    return now + last >= settings->deadline_mono_ns;
}

static void iterate(struct ob *o, const struct ob_settings *settings, struct ob_result *result)
{
    uint64_t previous_ns = settings->deadline_mono_ns ? clock_mono_ns() : 0;
    const bool warm = settings->warm && same_as_last(o);
    int failures = 0;
    bool started = false;
    centre(o, warm ? WARM_SLACK : 1);
    o->centering = CENTERING;
    result->stop = OB_ITERATIONS;
    for (result->iterations = 0; result->iterations < settings->max_iterations;) {
        result->iterations++;
        int rc = 0;
        if (!started) {
            rc = start(o, failures > 1 ? SAFE_SLACK : warm && failures == 0 ? WARM_SLACK : COLD_SLACK);
        }
        started = true;
        if (!rc) {
            rc = evaluate_bounds(o);
        }
        if (!rc && o->upper - o->lower <= settings->tolerance * o->upper) {
            result->stop = OB_CONVERGED;
            break;
        }
        if (out_of_time(settings, &previous_ns)) {
            result->stop = OB_DEADLINE;
            break;
        }
        if (!rc) {
            rc = newton(o);
        }
        if (rc) { /* start again nearer the middle; the bounds found so far stay valid */
            if (++failures > FAILURES_MAX) {
                break;
            }
            centre(o, failures == 1 ? 0.5 : 1);
            o->centering = CENTERING_SAFE;
            started = false;
        }
    }
    remember(o);
}

static void store(struct ob *o, struct mimo_solution *solution)
{
    struct mimo_problem *p = &o->problem;
    const int n = p->n_ue;
    for (int m = 0; m < p->n_ap; m++) {
        const double scale = sqrt(p->P[m]);
        for (int a = 0; a < p->n_ant; a++) {
            for (int k = 0; k < n; k++) {
                const int to = (m * p->n_ant + a) * n + k, from = k * o->ld + a * o->ld_ap + m;
                o->V[to] = scale * o->best[from];
                o->U[to] = scale * o->best[n * o->ld + from];
            }
        }
    }
    for (int k = 0; k < n; k++) {
        o->t[k] = 1;
    }
    mimo_problem_store(p, &o->shape, o->V, o->U, o->t, solution->W);
}

int ob_solve(ob_t *ob, const struct mimo_channel *channel, const struct ob_settings *settings,
             struct mimo_solution *solution, struct ob_result *result)
{
    struct ob *o = ob;
    mimo_problem_load(&o->problem, &o->shape, channel);
    solution->reason = o->problem.reason;
    *result = (struct ob_result){.stop = OB_EMPTY};
    if (o->problem.n_ue == 0 || o->problem.n_ap == 0) {
        memset(solution->W, 0, (size_t)(o->shape.n_ap * o->shape.n_ant * o->shape.n_ue) * sizeof *solution->W);
        memset(solution->sinr, 0, (size_t)o->shape.n_ue * sizeof *solution->sinr);
        return TUTTI_ENUMERIC;
    }
    load(o);
    o->lower = 0;
    o->upper = INFINITY;
    memset(o->best, 0, (size_t)(2 * o->problem.n_ue * o->ld) * sizeof *o->best);
    iterate(o, settings, result);
    store(o, solution);
    mimo_sinr(&o->shape, channel, solution->W, solution->sinr);
    result->bound = o->upper;
    result->min_sinr = INFINITY;
    for (int k = 0; k < o->problem.n_ue; k++) {
        result->min_sinr = fmin(result->min_sinr, (double)solution->sinr[o->problem.ue[k]]);
    }
    return solution->reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC;
}
