/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/nnls.h"

#include "base/error.h"
#include "rlspa/normal.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HALVINGS = 200, DOUBLINGS = 200 };

struct nnls {
    double *storage;
    double *A, *sub, *r, *z, *work; /* [n][n] twice, [n] twice */
    int *free_at;                   /* [n] indices of the free ones */
    bool *is_free;
};

static size_t layout(struct nnls *a, double *base, size_t n, int n_max)
{
    struct slab slab = {base, 0};
    a->A = slab_take(&slab, n * n);
    a->sub = slab_take(&slab, n * n);
    a->r = slab_take(&slab, n);
    a->z = slab_take(&slab, n);
    a->work = slab_take(&slab, normal_work(n_max));
    return slab.used;
}

int nnls_create(nnls_t **nnls, int n_max)
{
    const size_t n = (size_t)n_max;
    struct nnls *a = *nnls = calloc(1, sizeof *a);
    if (a) {
        a->storage = calloc(layout(a, NULL, n, n_max), sizeof *a->storage);
        a->free_at = calloc(n, sizeof *a->free_at);
        a->is_free = calloc(n, sizeof *a->is_free);
    }
    if (!a || !a->storage || !a->free_at || !a->is_free) {
        nnls_destroy(a);
        *nnls = NULL;
        return error_set(TUTTI_ENOMEM, "non-negative least squares: out of memory for %d users", n_max);
    }
    layout(a, a->storage, n, n_max);
    return 0;
}

void nnls_destroy(nnls_t *a)
{
    if (a) {
        free(a->storage);
        free(a->free_at);
        free(a->is_free);
        free(a);
    }
}

/* z of the free ones, unconstrained; returns how many are free. */
static int solve_free(struct nnls *a, int n, const double *r)
{
    int m = 0;
    for (int k = 0; k < n; k++) {
        if (a->is_free[k]) {
            a->free_at[m++] = k;
        }
    }
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
            a->sub[i * m + j] = a->A[a->free_at[i] * n + a->free_at[j]];
        }
        a->r[i] = r[a->free_at[i]];
    }
    normal_solve(m, a->sub, a->r, a->work, a->z);
    return m;
}

/* From p towards z until the first would become negative; it and all others at 0 are fixed. True when z was reached. */
static bool step(struct nnls *a, int m, double *p)
{
    double alpha = 1;
    int blocking = -1;
    for (int i = 0; i < m; i++) {
        const double from = p[a->free_at[i]];
        if (a->z[i] <= 0 && from / (from - a->z[i]) < alpha) {
            alpha = from / (from - a->z[i]);
            blocking = i;
        }
    }
    for (int i = 0; i < m; i++) {
        double *const at = &p[a->free_at[i]];
        *at += alpha * (a->z[i] - *at);
        if (i == blocking || !(*at > 0)) {
            *at = 0;
            a->is_free[a->free_at[i]] = false;
        }
    }
    return blocking < 0;
}

/* The fixed one whose cost falls fastest when it is freed; -1 when none does. */
static int steepest(const struct nnls *a, int n, const double *r, const double *p)
{
    double best = 0;
    int at = -1;
    for (int k = 0; k < n; k++) {
        double w = r[k], size = fabs(r[k]);
        for (int j = 0; j < n; j++) {
            w -= a->A[k * n + j] * p[j];
            size += fabs(a->A[k * n + j] * p[j]);
        }
        if (!a->is_free[k] && w > best && w > 1e-12 * size) {
            best = w;
            at = k;
        }
    }
    return at;
}

static void active_set(struct nnls *a, int n, const double *r, double *p)
{
    bool inside = true;
    for (int k = 0; k < n; k++) {
        a->is_free[k] = true;
        p[k] = 0;
    }
    const int m = solve_free(a, n, r); /* mostly nobody is negative */
    for (int k = 0; k < m; k++) {
        inside = inside && a->z[k] > 0;
    }
    if (inside) {
        memcpy(p, a->z, (size_t)n * sizeof *p);
        return;
    }
    memset(a->is_free, 0, (size_t)n * sizeof *a->is_free);
    for (int i = 0, k; i < 3 * n && (k = steepest(a, n, r, p)) >= 0; i++) {
        a->is_free[k] = true;
        while (!step(a, solve_free(a, n, r), p)) {
        }
    }
}

static double with_multiplier(struct nnls *a, const struct links *links, const double *N, const double *r, double mu,
                              double *p)
{
    const int n = links->n;
    memcpy(a->A, N, (size_t)n * (size_t)n * sizeof *a->A);
    for (int k = 0; k < n; k++) {
        a->A[k * n + k] += mu * links->w2[k];
    }
    active_set(a, n, r, p);
    return links_power(links, p, 1);
}

double nnls_execute(nnls_t *a, const struct links *links, const double *N, const double *r, double *p)
{
    double low = 0, high = DBL_MIN;
    if (!(with_multiplier(a, links, N, r, 0, p) > links->Pt)) {
        return 0;
    }
    for (int k = 0; k < links->n; k++) {
        high = fmax(high, links->w2[k] > 0 ? N[k * links->n + k] / links->w2[k] : 0);
    }
    for (int i = 0; i < DOUBLINGS && with_multiplier(a, links, N, r, high, p) > links->Pt; i++) {
        low = high;
        high *= 4;
    }
    for (int i = 0; i < HALVINGS && high - low > 4 * DBL_EPSILON * high; i++) {
        const double mu = low > 0 && high > 16 * low ? sqrt(low * high) : (low + high) / 2;
        *(with_multiplier(a, links, N, r, mu, p) > links->Pt ? &low : &high) = mu;
    }
    with_multiplier(a, links, N, r, high, p);
    return high;
}
