/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/maxmin_cb.h"

#include "base/error.h"
#include "control/maxmin.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* With u_mk = sqrt(N eta_mk gamma_mk) AP m radiates sum_k u_mk^2, user k receives d_kk^T u_k with d_kk = sqrt(N
 * gamma_mk), and stream j of the same pilot reaches it as d_jk^T u_j, d_jk = d_jj r_mjk. For any prices q and virtual
 * powers lambda with sum lambda = sum q P let D_m = q_m + sum_j beta_mj lambda_j, S_k = diag(D) + sum_j lambda_j d_kj
 * d_kj^T over the other users j of the pilot, c_k = max over v >= 0 of (d_kk^T v)^2 / (v^T S_k v): then max_k lambda_k
 * c_k bounds the least SINR, and the maximisers v_k are the directions to send in. */

enum { RESTART = 4, MEMORY = 8, EXACT_EVERY = 4 };

struct maxmin_cb {
    int max_ap, max_ue, n_ap, n_ue; /* of the handle; packed */
    int *ap, *ue, *pilot;
    double *storage;
    double *beta, *own, *V, *B;                    /* [n_ap][n_ue]; own = d_kk; B = V^2 */
    double *P, *D, *power;                         /* [n_ap] */
    double *lambda, *c, *noise, *p, *next, *ratio; /* [n_ue]; ratio = sqrt of the pilot power */
    double *F, *work, *H;                          /* [n_ue][n_ue], [n_ue][n_ue + 1], [n_ue][n_ue] */
    double *w, *g, *step;                          /* [n_ue] */
    double *best;                                  /* [n_ap][n_ue] powers u^2 of the best point so far */
    double *q;                                     /* [n_ap] */
    double *x, *fx, *move, *last_f;                /* [n_ap + n_ue] logs of (q, lambda), their map's residual */
    double *dx, *df;                               /* [MEMORY][n_ap + n_ue] */
    int n_memory, at_memory;
    double residual;
};

/* Statistics and closed form --------------------------------------------------------------------------------------- */

static double pilot_power(const struct maxmin_cb_network *n, int k)
{
    return n->pilot_power ? n->pilot_power[k] : 1;
}

static bool same_pilot(const struct maxmin_cb_network *n, int j, int k)
{
    return n->pilot ? n->pilot[j] == n->pilot[k] : j == k;
}

void maxmin_cb_statistics(const struct maxmin_cb_network *n, int tau, double *c, double *gamma)
{
    for (int m = 0; m < n->n_ap; m++) {
        const double *const beta = n->beta + m * n->n_ue;
        for (int k = 0; k < n->n_ue; k++) {
            const double amplitude = sqrt(tau * pilot_power(n, k));
            double den = 1;
            for (int j = 0; j < n->n_ue; j++) {
                den += same_pilot(n, j, k) ? tau * pilot_power(n, j) * beta[j] : 0;
            }
            c[m * n->n_ue + k] = amplitude * beta[k] / den;
            gamma[m * n->n_ue + k] = amplitude * beta[k] * c[m * n->n_ue + k];
        }
    }
}

/* N sum_m sqrt(eta_mj) gamma_mj r_mjk: what user k receives of stream j coherently. */
static double coherent(const struct maxmin_cb_network *n, const double *eta, int j, int k)
{
    const double ratio = sqrt(pilot_power(n, k) / pilot_power(n, j));
    double sum = 0;
    for (int m = 0; m < n->n_ap; m++) {
        const int mj = m * n->n_ue + j;
        if (n->beta[mj] > 0) {
            sum += sqrt(eta[mj]) * n->gamma[mj] * ratio * n->beta[m * n->n_ue + k] / n->beta[mj];
        }
    }
    return n->n_ant * sum;
}

void maxmin_cb_sinr(const struct maxmin_cb_network *n, const double *eta, double *sinr)
{
    for (int k = 0; k < n->n_ue; k++) {
        double noise = 1;
        for (int m = 0; m < n->n_ap; m++) {
            double sent = 0;
            for (int j = 0; j < n->n_ue; j++) {
                sent += eta[m * n->n_ue + j] * n->gamma[m * n->n_ue + j];
            }
            noise += n->n_ant * n->beta[m * n->n_ue + k] * sent;
        }
        for (int j = 0; j < n->n_ue; j++) {
            if (j != k && same_pilot(n, j, k)) {
                noise += pow(coherent(n, eta, j, k), 2);
            }
        }
        sinr[k] = pow(coherent(n, eta, k, k), 2) / noise;
    }
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static size_t place(struct maxmin_cb *a, double *base)
{
    const size_t m = (size_t)a->max_ap, k = (size_t)a->max_ue, n = m + k;
    struct {
        double **at;
        size_t size;
    } const arrays[] = {{&a->beta, m * k}, {&a->own, m * k},     {&a->V, m * k},      {&a->B, m * k},
                        {&a->best, m * k}, {&a->P, m},           {&a->D, m},          {&a->power, m},
                        {&a->lambda, k},   {&a->c, k},           {&a->noise, k},      {&a->p, k},
                        {&a->next, k},     {&a->ratio, k},       {&a->F, k * k},      {&a->work, k * (k + 1)},
                        {&a->H, k * k},    {&a->w, k},           {&a->g, k},          {&a->step, k},
                        {&a->x, n},        {&a->fx, n},          {&a->move, n},       {&a->last_f, n},
                        {&a->q, m},        {&a->dx, MEMORY * n}, {&a->df, MEMORY * n}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (base) {
            *arrays[i].at = base + used;
        }
        used += arrays[i].size;
    }
    return used;
}

int maxmin_cb_create(maxmin_cb_t **maxmin, int n_ap, int n_ant, int n_ue)
{
    struct maxmin_cb *a = *maxmin = calloc(1, sizeof *a);
    (void)n_ant; /* enters as a factor only */
    if (a) {
        a->max_ap = n_ap;
        a->max_ue = n_ue;
        a->ap = calloc((size_t)n_ap, sizeof *a->ap);
        a->ue = calloc((size_t)n_ue, sizeof *a->ue);
        a->pilot = calloc((size_t)n_ue, sizeof *a->pilot);
        a->storage = calloc(place(a, NULL), sizeof *a->storage);
    }
    if (!a || !a->ap || !a->ue || !a->pilot || !a->storage) {
        maxmin_cb_destroy(a);
        *maxmin = NULL;
        return error_set(TUTTI_ENOMEM, "maxmin_cb: out of memory for %d APs and %d users", n_ap, n_ue);
    }
    place(a, a->storage);
    return 0;
}

void maxmin_cb_destroy(maxmin_cb_t *a)
{
    if (!a) {
        return;
    }
    free(a->ap);
    free(a->ue);
    free(a->pilot);
    free(a->storage);
    free(a);
}

/* The problem packed: APs with power, users that one of them has an estimate of. Returns the users left out. */
static int load(struct maxmin_cb *a, const struct maxmin_cb_network *n)
{
    a->n_ap = a->n_ue = 0;
    for (int m = 0; m < n->n_ap; m++) {
        if (n->P[m] > 0) {
            a->P[a->n_ap] = n->P[m];
            a->ap[a->n_ap++] = m;
        }
    }
    for (int k = 0; k < n->n_ue; k++) {
        bool heard = false;
        for (int i = 0; i < a->n_ap; i++) {
            heard |= n->gamma[a->ap[i] * n->n_ue + k] > 0;
        }
        if (heard) {
            a->ratio[a->n_ue] = sqrt(pilot_power(n, k));
            a->pilot[a->n_ue] = n->pilot ? n->pilot[k] : k;
            a->ue[a->n_ue++] = k;
        }
    }
    for (int i = 0; i < a->n_ap; i++) {
        for (int k = 0; k < a->n_ue; k++) {
            const int from = a->ap[i] * n->n_ue + a->ue[k];
            a->beta[i * a->n_ue + k] = n->beta[from];
            a->own[i * a->n_ue + k] = n->beta[from] > 0 ? sqrt(n->n_ant * fmax(n->gamma[from], 0)) : 0;
        }
    }
    return n->n_ue - a->n_ue;
}

/* d_jk of AP m: stream j as user k of the same pilot receives it. */
static double cross(const struct maxmin_cb *a, int m, int j, int k)
{
    const double *const beta = a->beta + m * a->n_ue, own = a->own[m * a->n_ue + j];
    return own > 0 ? own * a->ratio[k] / a->ratio[j] * beta[k] / beta[j] : 0;
}

/* Directions ------------------------------------------------------------------------------------------------------- */

/* The j-th other user of k's pilot, -1 behind the last. */
static int next_of_pilot(const struct maxmin_cb *a, int k, int j)
{
    while (++j < a->n_ue && (j == k || a->pilot[j] != a->pilot[k])) {
    }
    return j < a->n_ue ? j : -1;
}

/* (d_kk - V w)_m with V's columns sqrt(lambda_j) d_kj. */
static double rest(const struct maxmin_cb *a, int m, int k)
{
    double r = a->own[m * a->n_ue + k];
    for (int j = next_of_pilot(a, k, -1), i = 0; j >= 0; j = next_of_pilot(a, k, j), i++) {
        r -= sqrt(a->lambda[j]) * cross(a, m, k, j) * a->w[i];
    }
    return r;
}

/* phi(w) = |w|^2 / 2 + sum_m (rest_m)_+^2 / (2 D_m), its gradient and Hessian. */
static double newton_terms(struct maxmin_cb *a, int k, int n)
{
    double phi = 0;
    for (int i = 0; i < n; i++) {
        phi += a->w[i] * a->w[i] / 2;
        a->g[i] = a->w[i];
        for (int j = 0; j < n; j++) {
            a->H[i * n + j] = i == j;
        }
    }
    for (int m = 0; m < a->n_ap; m++) {
        const double r = rest(a, m, k);
        if (!(r > 0)) {
            continue;
        }
        phi += r * r / (2 * a->D[m]);
        for (int j = next_of_pilot(a, k, -1), i = 0; j >= 0; j = next_of_pilot(a, k, j), i++) {
            a->step[i] = sqrt(a->lambda[j]) * cross(a, m, k, j);
        }
        for (int i = 0; i < n; i++) {
            a->g[i] -= a->step[i] * r / a->D[m];
            for (int j = 0; j < n; j++) {
                a->H[i * n + j] += a->step[i] * a->step[j] / a->D[m];
            }
        }
    }
    return phi;
}

/* x = A^-1 b for a symmetric positive definite A [n][n], which is spoilt; b becomes x. */
static void solve_spd(int n, double *A, double *b)
{
    for (int k = 0; k < n; k++) {
        for (int i = k + 1; i < n; i++) {
            const double f = A[i * n + k] / A[k * n + k];
            for (int j = k; j < n; j++) {
                A[i * n + j] -= f * A[k * n + j];
            }
            b[i] -= f * b[k];
        }
    }
    for (int k = n - 1; k >= 0; k--) {
        for (int j = k + 1; j < n; j++) {
            b[k] -= A[k * n + j] * b[j];
        }
        b[k] /= A[k * n + k];
    }
}

/* Semismooth Newton for w; returns the number of other users of the pilot. */
static int find_w(struct maxmin_cb *a, int k)
{
    int n = 0;
    for (int j = next_of_pilot(a, k, -1); j >= 0; j = next_of_pilot(a, k, j)) {
        a->w[n++] = 0;
    }
    double last = n ? newton_terms(a, k, n) : 0;
    for (int i = 0; i < 20 && n > 0; i++) {
        memcpy(a->next, a->w, (size_t)n * sizeof *a->w);
        solve_spd(n, a->H, a->g);
        for (int j = 0; j < n; j++) {
            a->w[j] -= a->g[j];
        }
        const double phi = newton_terms(a, k, n);
        if (!(phi < last)) {
            memcpy(a->w, a->next, (size_t)n * sizeof *a->w);
            break;
        }
        last = phi;
    }
    return n;
}

/* Direction v_k >= 0 into V and c_k. */
static void direct(struct maxmin_cb *a, int k)
{
    const int n = find_w(a, k);
    double gain = 0, cost = 0;
    for (int m = 0; m < a->n_ap; m++) {
        const double v = fmax(rest(a, m, k), 0) / a->D[m];
        a->V[m * a->n_ue + k] = v;
        gain += a->own[m * a->n_ue + k] * v;
        cost += a->D[m] * v * v;
    }
    for (int j = n ? next_of_pilot(a, k, -1) : -1; j >= 0; j = next_of_pilot(a, k, j)) {
        double leak = 0;
        for (int m = 0; m < a->n_ap; m++) {
            leak += cross(a, m, k, j) * a->V[m * a->n_ue + k];
        }
        cost += a->lambda[j] * leak * leak;
    }
    a->c[k] = fmax(gain * gain / cost, DBL_MIN);
}

/* Powers ----------------------------------------------------------------------------------------------------------- */

/* F, noise and B of maxmin.h for the directions. */
static void matrices(struct maxmin_cb *a)
{
    const int n = a->n_ue;
    memset(a->F, 0, (size_t)(n * n) * sizeof *a->F);
    for (int m = 0; m < a->n_ap; m++) {
        const double *const v = a->V + m * n, *const beta = a->beta + m * n;
        double *const b = a->B + m * n;
        for (int j = 0; j < n; j++) {
            b[j] = v[j] * v[j];
        }
        for (int k = 0; k < n; k++) {
            for (int j = 0; j < n; j++) {
                a->F[k * n + j] += beta[k] * b[j];
            }
        }
    }
    for (int k = 0; k < n; k++) {
        double gain = 0;
        for (int m = 0; m < a->n_ap; m++) {
            gain += a->own[m * n + k] * a->V[m * n + k];
        }
        for (int j = next_of_pilot(a, k, -1); j >= 0; j = next_of_pilot(a, k, j)) {
            double leak = 0;
            for (int m = 0; m < a->n_ap; m++) {
                leak += cross(a, m, j, k) * a->V[m * n + j];
            }
            a->F[k * n + j] += leak * leak;
        }
        for (int j = 0; j < n; j++) {
            a->F[k * n + j] /= gain * gain;
        }
        a->noise[k] = 1 / (gain * gain);
    }
}

static void ap_powers(struct maxmin_cb *a)
{
    for (int m = 0; m < a->n_ap; m++) {
        a->power[m] = 0;
        for (int k = 0; k < a->n_ue; k++) {
            a->power[m] += a->B[m * a->n_ue + k] * a->p[k];
        }
    }
}

/* Powers that equalise the SINRs under the weighted budget sum_m q_m power_m = total: the Perron vector of
 * F + noise a^T / total with a_k = sum_m q_m v_mk^2, by power iteration from the last one. */
static void equalise(struct maxmin_cb *a, const double *q, double total)
{
    const int n = a->n_ue;
    double *const price = a->g;
    memset(price, 0, (size_t)n * sizeof *price);
    for (int m = 0; m < a->n_ap; m++) {
        for (int k = 0; k < n; k++) {
            price[k] += q[m] * a->B[m * n + k] / total;
        }
    }
    for (int i = 0; i < 60; i++) {
        double spent = 0, change = 0, now = 0;
        for (int k = 0; k < n; k++) {
            spent += price[k] * a->p[k];
        }
        for (int k = 0; k < n; k++) {
            double sum = a->noise[k] * spent;
            for (int j = 0; j < n; j++) {
                sum += a->F[k * n + j] * a->p[j];
            }
            a->next[k] = sum;
            now += price[k] * sum;
        }
        for (int k = 0; k < n; k++) {
            const double value = a->next[k] / now;
            change = fmax(change, fabs(value - a->p[k]) / value);
            a->p[k] = value;
        }
        if (change < 1e-10) {
            break;
        }
    }
}

/* Keeps the powers p of the directions, scaled into the budgets, if they are the best so far. */
static void keep_if_better(struct maxmin_cb *a, struct maxmin_cb_result *result)
{
    const int n = a->n_ue;
    double use = 0, least = INFINITY;
    ap_powers(a);
    for (int m = 0; m < a->n_ap; m++) {
        use = fmax(use, a->power[m] / a->P[m]);
    }
    for (int k = 0; k < n; k++) {
        double interference = a->noise[k] * use;
        for (int j = 0; j < n; j++) {
            interference += a->F[k * n + j] * a->p[j];
        }
        least = fmin(least, a->p[k] / interference);
    }
    if (!(least > result->lower) || !isfinite(use)) {
        return;
    }
    result->lower = least;
    for (int i = 0; i < a->n_ap * n; i++) {
        a->best[i] = a->B[i] * a->p[i % n] / use;
    }
}

/* The iteration ---------------------------------------------------------------------------------------------------- */

/* Bound and feasible point at (q, lambda) = exp(x), and the fixed-point map's residual into fx. */
static void evaluate(struct maxmin_cb *a, int iteration, struct maxmin_cb_result *result)
{
    const int n = a->n_ue, n_ap = a->n_ap;
    double *const q = a->q;
    double total = 0, sum = 0, bound = 0;
    for (int m = 0; m < n_ap; m++) {
        q[m] = exp(a->x[m]);
        total += q[m] * a->P[m];
    }
    for (int k = 0; k < n; k++) {
        a->lambda[k] = exp(a->x[n_ap + k]);
        sum += a->lambda[k];
    }
    for (int k = 0; k < n; k++) {
        a->lambda[k] *= total / sum;
    }
    for (int m = 0; m < n_ap; m++) {
        a->D[m] = q[m];
        for (int k = 0; k < n; k++) {
            a->D[m] += a->beta[m * n + k] * a->lambda[k];
        }
    }
    for (int k = 0; k < n; k++) {
        direct(a, k);
        bound = fmax(bound, a->lambda[k] * a->c[k]);
    }
    result->upper = fmin(result->upper, bound);
    matrices(a);
    equalise(a, q, total);
    keep_if_better(a, result);
    double next_total = 0, next_sum = 0;
    for (int m = 0; m < n_ap; m++) {
        a->fx[m] = log(fmax(q[m] * a->power[m] / a->P[m], 1e-14 * total / a->P[m]));
        next_total += exp(a->fx[m]) * a->P[m];
    }
    for (int k = 0; k < n; k++) {
        next_sum += 1 / a->c[k];
    }
    for (int m = 0; m < n_ap; m++) { /* normalised to sum q P = 1 */
        a->fx[m] -= log(next_total) + a->x[m];
    }
    for (int k = 0; k < n; k++) {
        a->fx[n_ap + k] = -log(a->c[k] * next_sum) - a->x[n_ap + k];
    }
    if (iteration % EXACT_EVERY == EXACT_EVERY - 1) {
        memcpy(a->step, a->p, (size_t)n * sizeof *a->p);
        maxmin_power(n, n_ap, a->F, a->noise, a->B, n, a->P, a->p, a->work);
        keep_if_better(a, result);
        memcpy(a->p, a->step, (size_t)n * sizeof *a->p);
    }
}

/* Inner product in which an AP or user counts by its share of the dual objective: a price that dies out does not
 * matter. */
static double dot(const struct maxmin_cb *a, const double *u, const double *v)
{
    double s = 0;
    for (int m = 0; m < a->n_ap; m++) {
        s += exp(a->x[m]) * a->P[m] * u[m] * v[m];
    }
    for (int k = a->n_ap; k < a->n_ap + a->n_ue; k++) {
        s += exp(a->x[k]) * u[k] * v[k];
    }
    return s;
}

/* The next step into move: Anderson acceleration of x <- x + fx over the last MEMORY steps; starts anew where the
 * squared residual grows by RESTART. */
static void advance(struct maxmin_cb *a)
{
    const int n = a->n_ap + a->n_ue;
    const double residual = dot(a, a->fx, a->fx);
    if (!(residual < RESTART * a->residual)) {
        a->n_memory = a->at_memory = 0;
    }
    double H[MEMORY * MEMORY], weight[MEMORY];
    double trace = 0;
    for (int i = 0; i < a->n_memory; i++) {
        for (int j = 0; j < a->n_memory; j++) {
            H[i * a->n_memory + j] = dot(a, a->df + i * n, a->df + j * n);
        }
        weight[i] = dot(a, a->df + i * n, a->fx);
        trace += H[i * a->n_memory + i];
    }
    for (int i = 0; i < a->n_memory; i++) {
        H[i * a->n_memory + i] += 1e-12 * trace;
    }
    solve_spd(a->n_memory, H, weight);
    for (int e = 0; e < n; e++) {
        double step = a->fx[e];
        for (int i = 0; i < a->n_memory; i++) {
            step -= weight[i] * (a->dx[i * n + e] + a->df[i * n + e]);
        }
        a->last_f[e] = a->fx[e];
        a->move[e] = fmax(fmin(step, 3), -3); /* at most a factor of 20 */
        a->x[e] += a->move[e];
    }
    a->residual = residual;
}

/* After the next evaluation: what the step did to the residual. */
static void remember(struct maxmin_cb *a)
{
    const int n = a->n_ap + a->n_ue, i = a->at_memory % MEMORY;
    for (int e = 0; e < n; e++) {
        a->dx[i * n + e] = a->move[e];
        a->df[i * n + e] = a->fx[e] - a->last_f[e];
    }
    a->at_memory = i + 1;
    a->n_memory = a->n_memory < MEMORY ? a->n_memory + 1 : MEMORY;
}

/* Every AP the same price, every user the same power; sum q P = sum lambda = 1. */
static void start(struct maxmin_cb *a)
{
    double total = 0;
    for (int m = 0; m < a->n_ap; m++) {
        total += a->P[m];
    }
    for (int m = 0; m < a->n_ap; m++) {
        a->x[m] = -log(total);
    }
    for (int k = 0; k < a->n_ue; k++) {
        a->x[a->n_ap + k] = -log(a->n_ue);
        a->p[k] = 1;
    }
    a->n_memory = a->at_memory = 0;
    a->residual = INFINITY;
}

static void write_eta(const struct maxmin_cb *a, const struct maxmin_cb_network *n, double *eta)
{
    for (int i = 0; i < a->n_ap; i++) {
        for (int k = 0; k < a->n_ue; k++) {
            const double own = a->own[i * a->n_ue + k], power = a->best[i * a->n_ue + k];
            eta[a->ap[i] * n->n_ue + a->ue[k]] = own > 0 && power > 0 ? power / (own * own) : 0;
        }
    }
}

int maxmin_cb_execute(maxmin_cb_t *maxmin, const struct maxmin_cb_network *network, double tolerance,
                      int max_iterations, double *eta, struct maxmin_cb_result *result)
{
    struct maxmin_cb *a = maxmin;
    memset(eta, 0, (size_t)(network->n_ap * network->n_ue) * sizeof *eta);
    *result = (struct maxmin_cb_result){.lower = 0, .upper = INFINITY, .n_unheard = load(a, network)};
    if (a->n_ue == 0) {
        result->upper = 0;
        return TUTTI_ENUMERIC;
    }
    start(a);
    memset(a->best, 0, (size_t)(a->n_ap * a->n_ue) * sizeof *a->best);
    for (int i = 0; i < max_iterations; i++) {
        evaluate(a, i, result);
        result->iterations = i + 1;
        if (result->upper - result->lower <= tolerance * result->upper) {
            break;
        }
        if (i > 0) {
            remember(a);
        }
        advance(a);
    }
    write_eta(a, network, eta);
    const bool closed = result->upper - result->lower <= tolerance * result->upper;
    return closed && result->n_unheard == 0 ? 0 : TUTTI_ENUMERIC;
}
