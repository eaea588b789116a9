/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/symbol.h"

#include "base/error.h"
#include "rlspa/normal.h"
#include "rlspa/symbol_lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pivot above this leaves no doubt about the rank (the limit is an eigenvalue of 1e-13 of the largest). */
static const double SAFE = 1e-10;

struct symbol {
    int n_max;
    const struct links *links;
    const struct symbol_lanes *lanes;
    double *storage;
    double unit;              /* 1 / the largest Q_kk: everything is solved in these units */
    struct split B, Q;        /* [n][n], Q in units */
    struct split x;           /* [n][lane] */
    double *N, *p;            /* [n][n][lane], [n][lane] */
    double *one, *r, *solved; /* one symbol that needs care: [n][n], [n] */
    double *work;
};

static const struct symbol_lanes *variant(int i)
{
    const struct symbol_lanes *usable[3];
    int n = 0;
#ifdef SYMBOL_LANES_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        usable[n++] = &symbol_lanes_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        usable[n++] = &symbol_lanes_avx2;
    }
#endif
    usable[n++] = &symbol_lanes_portable;
    return i >= 0 && i < n ? usable[i] : NULL;
}

const char *symbol_variant_name(int i)
{
    return variant(i) ? variant(i)->name : NULL;
}

void symbol_variant(symbol_t *s, int i)
{
    s->lanes = variant(i) ? variant(i) : variant(0);
}

static size_t layout(struct symbol *s, double *base)
{
    struct slab slab = {base, 0};
    const size_t n = (size_t)s->n_max, lanes = SYMBOL_LANES_MAX;
    s->B = slab_split(&slab, n * n);
    s->Q = slab_split(&slab, n * n);
    s->x = slab_split(&slab, n * lanes);
    s->N = slab_take(&slab, n * n * lanes);
    s->p = slab_take(&slab, n * lanes);
    s->one = slab_take(&slab, n * n);
    s->r = slab_take(&slab, n);
    s->solved = slab_take(&slab, n);
    s->work = slab_take(&slab, normal_work(s->n_max));
    return slab.used;
}

int symbol_create(symbol_t **symbol, int n_max)
{
    struct symbol *s = *symbol = calloc(1, sizeof *s);
    if (s) {
        s->n_max = n_max;
        s->lanes = variant(0);
        s->storage = calloc(layout(s, NULL), sizeof *s->storage);
    }
    if (!s || !s->storage) {
        symbol_destroy(s);
        *symbol = NULL;
        return error_set(TUTTI_ENOMEM, "power allocation per symbol: out of memory for %d users", n_max);
    }
    layout(s, s->storage);
    return 0;
}

void symbol_destroy(symbol_t *s)
{
    if (s) {
        free(s->storage);
        free(s);
    }
}

void symbol_load(symbol_t *s, const struct links *links)
{
    const size_t square = (size_t)links->n * (size_t)links->n;
    double largest = 0;
    s->links = links;
    memcpy(s->B.re, links->B.re, square * sizeof *s->B.re);
    memcpy(s->B.im, links->B.im, square * sizeof *s->B.im);
    normal_square(links->n, &s->B, &s->Q);
    for (int k = 0; k < links->n; k++) {
        largest = fmax(largest, s->Q.re[k * links->n + k]);
    }
    s->unit = largest > 0 ? 1 / largest : 1;
    for (size_t i = 0; i < square; i++) {
        s->Q.re[i] *= s->unit;
        s->Q.im[i] *= s->unit;
        s->B.re[i] *= s->unit;
        s->B.im[i] *= s->unit;
    }
}

void symbol_lambda(const struct links *links, double eps2, int T, const struct split *X, double *lambda)
{
    memset(lambda, 0, (size_t)T * sizeof *lambda);
    for (int k = 0; k < links->n; k++) {
        const double *const xr = X->re + k * T, *const xi = X->im + k * T;
        for (int t = 0; t < T; t++) {
            lambda[t] += links->w2[k] * (xr[t] * xr[t] + xi[t] * xi[t]);
        }
    }
    for (int t = 0; t < T; t++) {
        lambda[t] *= links->rho * eps2;
    }
}

double symbol_cost(const struct links *links, const struct split *x, double lambda, const double *p, size_t stride)
{
    const int n = links->n;
    double cost = 0;
    for (int k = 0; k < n; k++) {
        double re = 0, im = 0;
        for (int j = 0; j < n; j++) {
            const double br = links->B.re[k * n + j], bi = links->B.im[k * n + j], pj = p[(size_t)j * stride];
            const double xr = x->re[(size_t)j * stride], xi = x->im[(size_t)j * stride];
            re += pj * (br * xr - bi * xi);
            im += pj * (br * xi + bi * xr);
        }
        re = x->re[(size_t)k * stride] - sqrt(links->rho) * re;
        im = x->im[(size_t)k * stride] - sqrt(links->rho) * im;
        cost += re * re + im * im + lambda * p[(size_t)k * stride] * p[(size_t)k * stride];
    }
    return cost;
}

void symbol_normal(const struct links *links, const struct split *x, double lambda, size_t stride, double *N, double *r)
{
    const int n = links->n;
    for (int i = 0; i < n; i++) {
        const double xr = x->re[(size_t)i * stride], xi = x->im[(size_t)i * stride];
        double re = 0, im = 0; /* (B^H x)_i */
        for (int j = 0; j < n; j++) {
            const double yr = x->re[(size_t)j * stride], yi = x->im[(size_t)j * stride];
            double qr = 0, qi = 0; /* Q_ij */
            for (int k = 0; k < n; k++) {
                const double ar = links->B.re[k * n + i], ai = -links->B.im[k * n + i];
                qr += ar * links->B.re[k * n + j] - ai * links->B.im[k * n + j];
                qi += ar * links->B.im[k * n + j] + ai * links->B.re[k * n + j];
            }
            N[i * n + j] = links->rho * (qr * (xr * yr + xi * yi) - qi * (xr * yi - xi * yr));
            re += links->B.re[j * n + i] * yr + links->B.im[j * n + i] * yi;
            im += links->B.re[j * n + i] * yi - links->B.im[j * n + i] * yr;
        }
        N[i * n + i] += lambda;
        r[i] = sqrt(links->rho) * (xr * re + xi * im);
    }
}

/* One symbol whose system may be singular. */
static void solve_with_care(struct symbol *s, int T, const struct split *X, int t, double lambda, double *P)
{
    const struct links *const links = s->links;
    const struct split x = {X->re + t, X->im + t};
    symbol_normal(links, &x, lambda, (size_t)T, s->one, s->r);
    normal_solve(links->n, s->one, s->r, s->work, s->solved);
    for (int k = 0; k < links->n; k++) {
        P[k * T + t] = s->solved[k];
    }
}

/* Symbols t .. t + count - 1, count <= lanes; lanes without a symbol repeat the last. */
static void execute_group(struct symbol *s, int T, const struct split *X, const double *lambda, int t, int count,
                          double *P)
{
    const int n = s->links->n, lanes = s->lanes->n_lane;
    const double scale = s->unit / s->links->rho, back = 1 / sqrt(s->links->rho);
    double regular[SYMBOL_LANES_MAX], pivot[SYMBOL_LANES_MAX];
    for (int l = 0; l < lanes; l++) {
        const int from = t + (l < count ? l : count - 1);
        regular[l] = scale * lambda[from];
        for (int k = 0; k < n; k++) {
            s->x.re[k * lanes + l] = X->re[k * T + from];
            s->x.im[k * lanes + l] = X->im[k * T + from];
        }
    }
    s->lanes->solve(n, &s->B, &s->Q, &s->x, regular, s->N, s->p, pivot);
    for (int l = 0; l < count; l++) {
        for (int k = 0; k < n; k++) {
            P[k * T + t + l] = back * s->p[k * lanes + l];
        }
        if (!(pivot[l] > SAFE)) {
            solve_with_care(s, T, X, t + l, lambda[t + l], P);
        }
    }
}

void symbol_execute(symbol_t *s, int T, const struct split *X, const double *lambda, enum links_policy policy,
                    double *P)
{
    for (int t = 0; t < T; t += s->lanes->n_lane) {
        const int count = T - t < s->lanes->n_lane ? T - t : s->lanes->n_lane;
        execute_group(s, T, X, lambda, t, count, P);
    }
    for (int t = 0; t < T; t++) {
        links_project(s->links, policy, P + t, (size_t)T);
    }
}
