/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/cesg.h"

#include "base/error.h"
#include "linalg/small.h"
#include "linalg/symmetric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* DEPENDENT: a candidate whose part outside the span of the others is less than this share of its power adds nothing.
 * SPREAD: of the eigenvalues; the exact test is dear and needed only where two bounds do not decide. */
static const double DEPENDENT = 1e-10, SPREAD = 1e10;
enum { FACTORS = 8 /* of which the product stays in range */ };

struct cesg {
    int n_ue_max, n_max;
    double *storage;
    struct split gram;          /* [K][K] */
    struct split v, e;          /* [n][K] G_S^-1 g_u of every candidate u, and [K] */
    double *s, *rate, *product; /* [K] Schur complements, rates */
    struct split Q, L, X, y, g; /* [n][n] G_S^-1; work [n][n] twice, [n] twice */
    double *A, *V;              /* [2n][2n] twice */
    bool *taken;                /* [K] */
    int *set, *rest, *best;     /* [n], [K], [n] */
    const struct cesg_problem *p;
    int m;         /* users in the set */
    bool inverted; /* Q is the inverse of the set's matrix */
};

static size_t layout(struct cesg *a, double *base)
{
    struct slab slab = {base, 0};
    const size_t k = (size_t)a->n_ue_max, n = (size_t)a->n_max;
    a->gram = slab_split(&slab, k * k);
    a->v = slab_split(&slab, n * k);
    a->e = slab_split(&slab, k);
    a->s = slab_take(&slab, k);
    a->rate = slab_take(&slab, k);
    a->product = slab_take(&slab, k);
    a->Q = slab_split(&slab, n * n);
    a->L = slab_split(&slab, n * n);
    a->X = slab_split(&slab, n * n);
    a->y = slab_split(&slab, n);
    a->g = slab_split(&slab, n);
    a->A = slab_take(&slab, 4 * n * n);
    a->V = slab_take(&slab, 4 * n * n);
    return slab.used;
}

int cesg_create(cesg_t **cesg, int n_ue_max, int n_max)
{
    struct cesg *a = *cesg = calloc(1, sizeof *a);
    if (a) {
        a->n_ue_max = n_ue_max;
        a->n_max = n_max;
        a->storage = calloc(layout(a, NULL), sizeof *a->storage);
        a->taken = calloc((size_t)n_ue_max, sizeof *a->taken);
        a->rest = calloc((size_t)n_ue_max, sizeof *a->rest);
        a->set = calloc((size_t)n_max, sizeof *a->set);
        a->best = calloc((size_t)n_max, sizeof *a->best);
    }
    if (!a || !a->storage || !a->taken || !a->rest || !a->set || !a->best) {
        cesg_destroy(a);
        *cesg = NULL;
        return error_set(TUTTI_ENOMEM, "scheduler: out of memory for %d of %d users", n_max, n_ue_max);
    }
    layout(a, a->storage);
    return 0;
}

void cesg_destroy(cesg_t *a)
{
    if (a) {
        free(a->storage);
        free(a->taken);
        free(a->rest);
        free(a->set);
        free(a->best);
        free(a);
    }
}

void cesg_gram(cesg_t *a, int n_antennas, int n_ue, const struct split *Ga, const double **Gr, const double **Gi)
{
    small_gram(n_antennas, n_ue, Ga->re, Ga->im, NULL, 1, a->gram.re, a->gram.im);
    *Gr = a->gram.re;
    *Gi = a->gram.im;
}

static double power_of(const struct cesg *a, int u)
{
    return a->p->Gr[(size_t)u * (size_t)a->p->n_ue + (size_t)u];
}

static const double *row_re(const struct cesg *a, int u)
{
    return a->p->Gr + (size_t)u * (size_t)a->p->n_ue;
}

static const double *row_im(const struct cesg *a, int u)
{
    return a->p->Gi + (size_t)u * (size_t)a->p->n_ue;
}

/* Greedy phase ----------------------------------------------------------------------------------------------------- */

/* e_u = v_t^H g_u - G(t, u) of every candidate u, g_u = G(S, u), when t is about to join. */
static void innovations(struct cesg *a, int t)
{
    const int K = a->p->n_ue;
    double *restrict er = a->e.re, *restrict ei = a->e.im;
    const double *const tr = row_re(a, t), *const ti = row_im(a, t);
    for (int u = 0; u < K; u++) {
        er[u] = -tr[u];
        ei[u] = -ti[u];
    }
    for (int i = 0; i < a->m; i++) {
        const double vr = a->v.re[i * K + t], vi = -a->v.im[i * K + t];
        const double *const gr = row_re(a, a->set[i]), *const gi = row_im(a, a->set[i]);
        for (int u = 0; u < K; u++) {
            er[u] += vr * gr[u] - vi * gi[u];
            ei[u] += vr * gi[u] + vi * gr[u];
        }
    }
}

/* Q <- [Q + v v^H / s, -v / s; -v^H / s, 1 / s] for the vector v [m] = Q g of the one that joins, stored at stride. */
static void border(struct cesg *a, const double *vr, const double *vi, size_t stride, double s)
{
    const int m = a->m, n = a->n_max;
    for (int i = 0; i < m; i++) {
        const double xr = vr[(size_t)i * stride] / s, xi = vi[(size_t)i * stride] / s;
        for (int j = 0; j < m; j++) {
            const double yr = vr[(size_t)j * stride], yi = -vi[(size_t)j * stride];
            a->Q.re[i * n + j] += xr * yr - xi * yi;
            a->Q.im[i * n + j] += xr * yi + xi * yr;
        }
        a->Q.re[i * n + m] = a->Q.re[m * n + i] = -xr;
        a->Q.im[i * n + m] = -xi;
        a->Q.im[m * n + i] = xi;
    }
    a->Q.re[m * n + m] = 1 / s;
    a->Q.im[m * n + m] = 0;
}

/* t joins the set: G_S^-1, and for every candidate G_S^-1 g_u and its Schur complement. */
static void take(struct cesg *a, int t)
{
    const int K = a->p->n_ue, m = a->m;
    const double s = a->s[t], *const er = a->e.re, *const ei = a->e.im;
    innovations(a, t);
    border(a, a->v.re + t, a->v.im + t, (size_t)K, s);
    for (int i = 0; i < m; i++) {
        const double vr = a->v.re[i * K + t] / s, vi = a->v.im[i * K + t] / s;
        double *restrict xr = a->v.re + i * K, *restrict xi = a->v.im + i * K;
        for (int u = 0; u < K; u++) {
            xr[u] += vr * er[u] - vi * ei[u];
            xi[u] += vr * ei[u] + vi * er[u];
        }
    }
    for (int u = 0; u < K; u++) {
        a->v.re[m * K + u] = -er[u] / s;
        a->v.im[m * K + u] = -ei[u] / s;
        a->s[u] -= (er[u] * er[u] + ei[u] * ei[u]) / s;
    }
    a->taken[t] = true;
    a->set[a->m++] = t;
}

/* Rate of the set with every candidate added; -inf for those that are inside or add nothing. */
static void rates_with(struct cesg *a)
{
    const int K = a->p->n_ue, m = a->m;
    const double c = a->p->c / (m + 1);
    for (int u = 0; u < K; u++) {
        const bool usable = !a->taken[u] && a->s[u] > DEPENDENT * power_of(a, u);
        a->product[u] = usable ? 1 + c * a->s[u] : 1;
        a->rate[u] = usable ? 0 : -INFINITY;
        a->e.re[u] = usable ? 1 / a->s[u] : 0;
    }
    for (int i = 0; i < m; i++) {
        const double q = a->Q.re[i * a->n_max + i];
        const double *const vr = a->v.re + i * K, *const vi = a->v.im + i * K;
        double *restrict product = a->product, *restrict inverse = a->e.re;
        for (int u = 0; u < K; u++) {
            product[u] *= 1 + c / (q + (vr[u] * vr[u] + vi[u] * vi[u]) * inverse[u]);
        }
        for (int u = 0; u < K && i % FACTORS == FACTORS - 2; u++) {
            a->rate[u] += log2(product[u]);
            product[u] = 1;
        }
    }
    for (int u = 0; u < K; u++) {
        a->rate[u] += log2(a->product[u]);
    }
}

static int largest(int n, const double *value)
{
    int at = 0;
    for (int i = 1; i < n; i++) {
        at = value[i] > value[at] ? i : at;
    }
    return at;
}

static void greedy(struct cesg *a)
{
    const struct cesg_problem *const p = a->p;
    memset(a->taken, 0, (size_t)p->n_ue * sizeof *a->taken);
    a->m = 0;
    for (int u = 0; u < p->n_ue; u++) {
        a->s[u] = power_of(a, u);
    }
    for (int i = 0; i < p->n_always && a->m < p->n; i++) {
        const int u = p->always[i];
        if (a->s[u] > DEPENDENT * power_of(a, u)) {
            take(a, u);
        }
    }
    while (a->m < p->n) {
        if (a->m) {
            rates_with(a);
        } else { /* the strongest; the same as the best rate but for rounding */
            memcpy(a->rate, a->s, (size_t)p->n_ue * sizeof *a->rate);
        }
        const int u = largest(p->n_ue, a->rate);
        if (!(a->m ? a->rate[u] > -INFINITY : a->s[u] > 0)) {
            break;
        }
        take(a, u);
    }
    a->inverted = a->m > 0;
}

/* Exchange phase --------------------------------------------------------------------------------------------------- */

/* Q from the set's matrix. */
static void invert(struct cesg *a)
{
    const int m = a->m, n = a->n_max;
    double most = 0;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
            a->L.re[i * m + j] = row_re(a, a->set[i])[a->set[j]];
            a->L.im[i * m + j] = row_im(a, a->set[i])[a->set[j]];
        }
        most = fmax(most, a->L.re[i * m + i]);
    }
    a->inverted = small_cholesky(m, a->L.re, a->L.im, 1e-14 * most) == 0;
    if (!a->inverted) {
        return;
    }
    small_lower_inverse(m, a->L.re, a->L.im, a->X.re, a->X.im);
    small_lower_square(m, a->X.re, a->X.im, a->L.re, a->L.im);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
            a->Q.re[i * n + j] = a->L.re[i * m + j];
            a->Q.im[i * n + j] = a->L.im[i * m + j];
        }
    }
}

/* The eigenvalues themselves. */
static bool is_spread(struct cesg *a)
{
    const int m = a->m;
    double low = INFINITY, high = 0;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
            a->L.re[i * m + j] = row_re(a, a->set[i])[a->set[j]];
            a->L.im[i * m + j] = row_im(a, a->set[i])[a->set[j]];
        }
    }
    symmetric_embed(m, a->L.re, a->L.im, a->A);
    symmetric_eigen(2 * m, a->A, a->V);
    for (int i = 0; i < 2 * m; i++) {
        low = fmin(low, a->A[i * 2 * m + i]);
        high = fmax(high, a->A[i * 2 * m + i]);
    }
    return !(low * SPREAD > high);
}

static double rate_of_set(struct cesg *a)
{
    double traces[2] = {0, 0}, largest_of[2] = {0, 0}, rate = 0, product = 1;
    if (!a->inverted) {
        return -INFINITY;
    }
    for (int i = 0; i < a->m; i++) {
        const double value[2] = {power_of(a, a->set[i]), a->Q.re[i * a->n_max + i]};
        for (int j = 0; j < 2; j++) {
            traces[j] += value[j];
            largest_of[j] = fmax(largest_of[j], value[j]);
        }
        product *= 1 + a->p->c / a->m / value[1];
        if (i % FACTORS == FACTORS - 1) {
            rate += log2(product);
            product = 1;
        }
    }
    if (largest_of[0] * largest_of[1] >= SPREAD || (!(traces[0] * traces[1] < SPREAD) && is_spread(a))) {
        return -INFINITY;
    }
    return rate + log2(product);
}

/* Q without the user at place o: Q - q_o q_o^H / Q_oo, the last user moved to place o. */
static void leave(struct cesg *a, int o)
{
    const int m = a->m, n = a->n_max;
    const double pivot = a->Q.re[o * n + o];
    for (int i = 0; i < m; i++) {
        a->y.re[i] = a->Q.re[i * n + o];
        a->y.im[i] = a->Q.im[i * n + o];
    }
    for (int i = 0; i < m; i++) {
        const double xr = a->y.re[i] / pivot, xi = a->y.im[i] / pivot;
        for (int j = 0; j < m; j++) {
            a->Q.re[i * n + j] -= xr * a->y.re[j] + xi * a->y.im[j];
            a->Q.im[i * n + j] -= xi * a->y.re[j] - xr * a->y.im[j];
        }
    }
    for (int j = 0; j < m; j++) {
        a->Q.re[o * n + j] = a->Q.re[(m - 1) * n + j];
        a->Q.im[o * n + j] = a->Q.im[(m - 1) * n + j];
    }
    for (int i = 0; i < m; i++) {
        a->Q.re[i * n + o] = a->Q.re[i * n + m - 1];
        a->Q.im[i * n + o] = a->Q.im[i * n + m - 1];
    }
    a->set[o] = a->set[--a->m];
}

/* u joins at the end; false when it adds too little for the update to be trusted. */
static bool join(struct cesg *a, int u)
{
    double s = power_of(a, u);
    for (int i = 0; i < a->m; i++) {
        a->g.re[i] = row_re(a, a->set[i])[u];
        a->g.im[i] = row_im(a, a->set[i])[u];
    }
    for (int i = 0; i < a->m; i++) {
        double re = 0, im = 0;
        for (int j = 0; j < a->m; j++) {
            const double qr = a->Q.re[i * a->n_max + j], qi = a->Q.im[i * a->n_max + j];
            re += qr * a->g.re[j] - qi * a->g.im[j];
            im += qr * a->g.im[j] + qi * a->g.re[j];
        }
        a->y.re[i] = re;
        a->y.im[i] = im;
        s -= a->g.re[i] * re + a->g.im[i] * im;
    }
    const bool good = s > 1e4 * DEPENDENT * power_of(a, u);
    if (good) {
        border(a, a->y.re, a->y.im, 1, s);
    }
    a->set[a->m++] = u;
    return good;
}

static bool is_kept(const struct cesg_problem *p, int u)
{
    for (int i = 0; i < p->n_always; i++) {
        if (p->always[i] == u) {
            return true;
        }
    }
    return false;
}

/* Place of the weakest user that may go; -1 if none may. */
static int weakest(const struct cesg *a)
{
    int at = -1;
    for (int i = 0; i < a->m; i++) {
        const double q = power_of(a, a->set[i]), least = at < 0 ? 0 : power_of(a, a->set[at]);
        if (!is_kept(a->p, a->set[i]) && (at < 0 || q < least || (q == least && a->set[i] < a->set[at]))) {
            at = i;
        }
    }
    return at;
}

/* The candidates outside the set, strongest first. */
static int sort_rest(struct cesg *a)
{
    int n = 0;
    for (int u = 0; u < a->p->n_ue; u++) {
        if (a->taken[u]) {
            continue;
        }
        int j = n++;
        for (; j > 0 && power_of(a, a->rest[j - 1]) < power_of(a, u); j--) {
            a->rest[j] = a->rest[j - 1];
        }
        a->rest[j] = u;
    }
    return n;
}

static void exchange(struct cesg *a, int u, int o)
{
    if (!a->inverted) {
        a->set[o] = a->set[a->m - 1];
        a->set[a->m - 1] = u;
        invert(a);
        return;
    }
    leave(a, o);
    if (!join(a, u)) {
        invert(a);
    }
}

static void sort_indices(int n, int *index)
{
    for (int i = 1; i < n; i++) {
        const int v = index[i];
        int j = i;
        for (; j > 0 && index[j - 1] > v; j--) {
            index[j] = index[j - 1];
        }
        index[j] = v;
    }
}

static void keep_if_better(struct cesg *a, double rate, double *rates, struct cesg_result *result)
{
    if (rates) {
        rates[result->n_rates] = rate;
    }
    result->n_rates++;
    if (result->n_rates == 1 || rate > result->best_rate) {
        result->best = result->n_rates;
        result->best_rate = rate;
        memcpy(a->best, a->set, (size_t)a->m * sizeof *a->best);
    }
}

void cesg_execute(cesg_t *a, const struct cesg_problem *problem, int *chosen, int *order, double *rates,
                  struct cesg_result *result)
{
    *result = (struct cesg_result){.best = 1};
    a->p = problem;
    greedy(a);
    if (order) {
        memcpy(order, a->set, (size_t)a->m * sizeof *order);
    }
    result->n = a->m;
    result->greedy_rate = rate_of_set(a);
    keep_if_better(a, result->greedy_rate, rates, result);
    const int n_rest = problem->greedy_only || weakest(a) < 0 ? 0 : sort_rest(a);
    for (int i = 0; i < n_rest; i++) {
        exchange(a, a->rest[i], weakest(a));
        keep_if_better(a, rate_of_set(a), rates, result);
    }
    memcpy(chosen, a->best, (size_t)result->n * sizeof *chosen);
    sort_indices(result->n, chosen);
}

void cesg_strongest(cesg_t *a, int n_ue, int n, const double *Gr, int *chosen)
{
    for (int u = 0; u < n_ue; u++) {
        a->rate[u] = Gr[(size_t)u * (size_t)n_ue + (size_t)u];
    }
    for (int i = 0; i < n && i < n_ue; i++) {
        chosen[i] = largest(n_ue, a->rate);
        a->rate[chosen[i]] = -INFINITY;
    }
    sort_indices(n, chosen);
}
