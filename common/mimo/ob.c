/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Life of the solver, the certificate and the iteration; notation in mimo/ob_core.h. */
#include "base/clock.h"
#include "base/error.h"
#include "control/maxmin.h"
#include "linalg/kernel.h"
#include "linalg/small.h"
#include "mimo/ob_core.h"
#include "mimo/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CENTERING = 0.15;     /* aim of each step: this fraction of the current complementarity */
static const double CENTERING_SAFE = 0.5; /* after a failure */
static const double COLD_SLACK = 0.5;     /* weighted share of power left unused at the start */
static const double BALANCED = 1.5;       /* largest over least dual SINR a start is content with */
static const double SAFE_SLACK = 0.9;
static const double WARM_SLACK = 0.02;
static const double ROUNDED = 1e-5; /* share of the SINR that single precision may cost */

enum { FAILURES_MAX = 3, BALANCE_STEPS = 12 };

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
             &o->r3, &o->y, &o->wv, &o->t, &o->diagonal);
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
    o->last_ap = calloc((size_t)shape->n_ap, sizeof *o->last_ap);
    o->last_ue = calloc((size_t)shape->n_ue, sizeof *o->last_ue);
    if (!o->storage || !o->last_ap || !o->last_ue) {
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
    free(ob->last_ap);
    free(ob->last_ue);
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

void ob_mix(struct ob *o, const double *in, const double *Tr, const double *Ti, const double *weight, double *out)
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
    for (int k = 0; k < n; k++) {
        o->diagonal[k] = sqrt(o->Gr[k * n + k]);
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
    ob_mix(o, o->H, o->Gr, o->Gi, o->inverse_D, o->V);
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

/* Best feasible use of the beams: remember them if they beat the best so far. */
static void primal(struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    const int n = p->n_ue;
    for (int k = 0; k < n; k++) {
        const double own = ob_leak(o, k, k);
        for (int j = 0; j < n; j++) {
            o->F[k * n + j] = ((j == k ? 0 : ob_leak(o, k, j)) + o->EB[k * o->ld_ue + j]) / own;
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

/* Largest dual SINR of this point, an upper bound as long as sum q <= sum lambda, with its rounding error on top. The
 * SINR of user k is (1 - a) / a, a = e_k^T A e_k with A = (I + B)^-1. An error dB of B (its Gram sums, its factor and
 * the inverse) moves a by y^T dB y to first order, y = A e_k, and |dB_ij| <= ROUNDING d_i d_j, d_i^2 = 1 + B_ii: all
 * known, whatever the conditioning. Where nothing certain is left of a, the user alone at B_kk is still a bound. */
static double certified_sinr(const struct ob *o)
{
    const int n = o->problem.n_ue;
    const double rounding = (2.0 * o->problem.n_row + 8.0 * n + 32) * 0x1p-53;
    double most = 0;
    for (int k = 0; k < n; k++) {
        const double a = o->Ar[k * n + k];
        double moved = 0;
        for (int i = 0; i < n; i++) {
            const double re = o->Ar[k * n + i], im = o->Ai[k * n + i];
            moved += sqrt(re * re + im * im) * o->diagonal[i];
        }
        const double least = a - rounding * (a + moved * moved), alone = o->diagonal[k] * o->diagonal[k];
        most = fmax(most, least > 0 ? fmin((1 - least) / least, alone) : alone);
    }
    const double prices = ob_sum(o->problem.n_ap, o->q) / ob_sum(n, o->lambda);
    return most * fmax(1, prices) * (1 + rounding);
}

/* Each user alone, perfectly known: all APs at full power and in phase. */
static double bound_alone(const struct ob *o)
{
    const struct mimo_problem *p = &o->problem;
    double least = INFINITY;
    for (int k = 0; k < p->n_ue; k++) {
        const double *hr = o->H + k * o->ld, *hi = hr + p->n_ue * o->ld;
        double amplitude = 0;
        for (int m = 0; m < p->n_ap; m++) {
            double energy = 0;
            for (int r = m; r < o->ld; r += o->ld_ap) {
                energy += hr[r] * hr[r] + hi[r] * hi[r];
            }
            amplitude += sqrt(energy);
        }
        least = fmin(least, amplitude * amplitude);
    }
    return least * (1 + (p->n_row + 8.0) * 0x1p-52);
}

static int evaluate_bounds(struct ob *o)
{
    const int rc = evaluate(o);
    if (rc) {
        return rc;
    }
    o->upper = fmin(o->upper, certified_sinr(o));
    beams(o);
    primal(o);
    return 0;
}

/* Downlink powers that solve r1 = 0 for this tau; false if some are not positive. */
static bool powers_for(struct ob *o, double tau)
{
    const int n = o->problem.n_ue;
    o->tau = tau;
    if (ob_invert_coupling(o)) {
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
        const double scale = 1 / ob_sum(n, o->lambda);
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
    ob_jacobians(o);
    double mean = 0, most = 0;
    for (int k = 0; k < n; k++) {
        mean += 1 / o->sinr[k] / n;
        most = fmax(most, 1 / o->sinr[k]);
    }
    o->kappa = 1 - slack;
    if (!powers_for(o, mean) && !powers_for(o, most)) {
        return TUTTI_ENUMERIC;
    }
    ob_unused_power(o, o->rho, o->z);
    for (int m = 0; m < m_max; m++) {
        o->z[m] = fmax(o->z[m], slack / m_max / o->q[m]);
    }
    return 0;
}

/* q and lambda inside the simplexes: the old point pulled towards the middle by share. */
static void centre(struct ob *o, double share)
{
    const int n = o->problem.n_ue, n_ap = o->problem.n_ap;
    double q_sum = ob_sum(n_ap, o->q), l_sum = ob_sum(n, o->lambda);
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
    memcpy(o->last_ap, p->ap, (size_t)p->n_ap * sizeof *p->ap);
    memcpy(o->last_ue, p->ue, (size_t)p->n_ue * sizeof *p->ue);
}

/* Stops while there is time for an iteration as long as the last one, and half of it for writing the precoder. */
static bool out_of_time(const struct ob_settings *settings, uint64_t *previous_ns)
{
    if (!settings->deadline_mono_ns) {
        return false;
    }
    const uint64_t now = clock_mono_ns(), last = now - *previous_ns;
    *previous_ns = now;
    return now + last + last / 2 >= settings->deadline_mono_ns;
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
            rc = ob_newton(o);
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

/* What the written precoder does, against the bound. */
static void judge(const struct ob *o, const struct ob_settings *settings, const struct mimo_solution *solution,
                  struct ob_result *result)
{
    result->bound = o->upper;
    result->min_sinr = INFINITY;
    for (int k = 0; k < o->problem.n_ue; k++) {
        result->min_sinr = fmin(result->min_sinr, (double)solution->sinr[o->problem.ue[k]]);
    }
    const double missing = o->upper - result->min_sinr;
    if (result->stop == OB_CONVERGED && missing > (settings->tolerance + ROUNDED) * o->upper) {
        result->stop = OB_ROUNDED;
    }
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
    o->upper = bound_alone(o);
    memset(o->best, 0, (size_t)(2 * o->problem.n_ue * o->ld) * sizeof *o->best);
    iterate(o, settings, result);
    store(o, solution);
    mimo_sinr(&o->shape, channel, solution->W, solution->sinr);
    judge(o, settings, solution, result);
    return solution->reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC;
}
