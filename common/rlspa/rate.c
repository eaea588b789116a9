/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/rate.h"

#include "base/error.h"
#include "linalg/small.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t rate_work(int n)
{
    return 8 * (size_t)n * (size_t)n;
}

/* Of a Hermitian positive definite A, which is spoilt. */
static double log2_det(int n, const struct split *A)
{
    double sum = 0;
    if (small_cholesky(n, A->re, A->im, 0)) {
        return NAN;
    }
    for (int k = 0; k < n; k++) {
        sum += log2(A->re[k * n + k]);
    }
    return 2 * sum;
}

/* A += scale_i scale_j (C diag(p^2) C^H)_ij on the lower triangle; scale NULL = 1. */
static void add_outer(int n, double rho, const struct split *C, const double *p, const double *scale, struct split *T,
                      const struct split *A)
{
    for (int i = 0; i < n; i++) {
        const double s = scale ? scale[i] : 1;
        for (int k = 0; k < n; k++) {
            T->re[i * n + k] = s * p[k] * C->re[i * n + k];
            T->im[i * n + k] = s * p[k] * C->im[i * n + k];
        }
        for (int j = 0; j <= i; j++) {
            double re = 0, im = 0;
            for (int k = 0; k < n; k++) {
                const double ar = T->re[i * n + k], ai = T->im[i * n + k];
                const double br = T->re[j * n + k], bi = T->im[j * n + k];
                re += ar * br + ai * bi;
                im += ai * br - ar * bi;
            }
            A->re[i * n + j] += rho * re;
            A->im[i * n + j] += rho * im;
        }
    }
}

static void identity(int n, double value, const struct split *A)
{
    memset(A->re, 0, (size_t)n * (size_t)n * sizeof *A->re);
    memset(A->im, 0, (size_t)n * (size_t)n * sizeof *A->im);
    for (int k = 0; k < n; k++) {
        A->re[k * n + k] = value;
    }
}

static double error_noise(const struct links *links, const double *F, const double *p, int k)
{
    double sum = 0;
    for (int i = 0; F && i < links->n; i++) {
        sum += F[k * links->n + i] * p[i] * p[i];
    }
    return links->rho * sum + links->sigma2;
}

double rate_logdet(const struct links *links, const double *F, const double *p, double *work)
{
    const int n = links->n, square = n * n;
    const struct split A = {work, work + square};
    struct split T = {work + 2 * square, work + 3 * square};
    double *const scale = work + 4 * square;
    identity(n, 1, &A);
    for (int k = 0; k < n; k++) {
        scale[k] = 1 / sqrt(error_noise(links, F, p, k));
    }
    add_outer(n, links->rho, &links->B, p, scale, &T, &A);
    return log2_det(n, &A);
}

double rate_logdet_realised(const struct links *links, const struct split *E, const double *p, double *work)
{
    const int n = links->n, square = n * n;
    const struct split R = {work, work + square}, all = {work + 2 * square, work + 3 * square};
    struct split T = {work + 4 * square, work + 5 * square};
    identity(n, links->sigma2, &R);
    add_outer(n, links->rho, E, p, NULL, &T, &R);
    memcpy(all.re, R.re, (size_t)square * sizeof *R.re);
    memcpy(all.im, R.im, (size_t)square * sizeof *R.im);
    add_outer(n, links->rho, &links->B, p, NULL, &T, &all);
    return log2_det(n, &all) - log2_det(n, &R);
}

double rate_sinr(const struct links *links, const double *F, const double *p, double *sinr)
{
    const int n = links->n;
    double rate = 0;
    for (int k = 0; k < n; k++) {
        double own = 0, others = error_noise(links, F, p, k);
        for (int i = 0; i < n; i++) {
            const double re = links->B.re[k * n + i], im = links->B.im[k * n + i];
            *(i == k ? &own : &others) += links->rho * (re * re + im * im) * p[i] * p[i];
        }
        if (sinr) {
            sinr[k] = own / others;
        }
        rate += log2(1 + own / others);
    }
    return rate;
}

/* Generalised mutual information ----------------------------------------------------------------------------------- */

struct gmi {
    int n_antennas, count;
    const struct links *links;
    const struct split *W;
    double *storage;
    struct split s, match; /* [n], [n]: sum of (B s)_k conj(x_k) */
    double *symbol2;       /* [n] sum of |x_k|^2 */
    double *received2;     /* [n] sum of |(B s)_k|^2 */
    double *sent2;         /* [M] sum of |(W s)_m|^2 */
};

static size_t layout(struct gmi *g, double *base, size_t m, size_t n)
{
    struct slab slab = {base, 0};
    g->s = slab_split(&slab, n);
    g->match = slab_split(&slab, n);
    g->symbol2 = slab_take(&slab, n);
    g->received2 = slab_take(&slab, n);
    g->sent2 = slab_take(&slab, m);
    return slab.used;
}

int gmi_create(gmi_t **gmi, int n_antennas, int n_max)
{
    struct gmi *g = *gmi = calloc(1, sizeof *g);
    if (g) {
        g->n_antennas = n_antennas;
        g->storage = calloc(layout(g, NULL, (size_t)n_antennas, (size_t)n_max), sizeof *g->storage);
    }
    if (!g || !g->storage) {
        gmi_destroy(g);
        *gmi = NULL;
        return error_set(TUTTI_ENOMEM, "mutual information: out of memory for %d users", n_max);
    }
    layout(g, g->storage, (size_t)n_antennas, (size_t)n_max);
    return 0;
}

void gmi_destroy(gmi_t *g)
{
    if (g) {
        free(g->storage);
        free(g);
    }
}

void gmi_load(gmi_t *g, const struct links *links, const struct split *W)
{
    const size_t n = (size_t)links->n;
    g->links = links;
    g->W = W;
    g->count = 0;
    memset(g->match.re, 0, n * sizeof(double));
    memset(g->match.im, 0, n * sizeof(double));
    memset(g->symbol2, 0, n * sizeof(double));
    memset(g->received2, 0, n * sizeof(double));
    memset(g->sent2, 0, (size_t)g->n_antennas * sizeof(double));
}

/* a . s for one row of a matrix. */
static void dot(int n, const double *ar, const double *ai, const struct split *s, double *re, double *im)
{
    *re = *im = 0;
    for (int k = 0; k < n; k++) {
        *re += ar[k] * s->re[k] - ai[k] * s->im[k];
        *im += ar[k] * s->im[k] + ai[k] * s->re[k];
    }
}

void gmi_add(gmi_t *g, int T, const struct split *X, const double *P)
{
    const int n = g->links->n;
    double re, im;
    for (int t = 0; t < T; t++) {
        for (int k = 0; k < n; k++) {
            g->s.re[k] = P[k * T + t] * X->re[k * T + t];
            g->s.im[k] = P[k * T + t] * X->im[k * T + t];
        }
        for (int k = 0; k < n; k++) {
            const double xr = X->re[k * T + t], xi = X->im[k * T + t];
            dot(n, g->links->B.re + k * n, g->links->B.im + k * n, &g->s, &re, &im);
            g->match.re[k] += re * xr + im * xi;
            g->match.im[k] += im * xr - re * xi;
            g->symbol2[k] += xr * xr + xi * xi;
            g->received2[k] += re * re + im * im;
        }
        for (int m = 0; m < g->n_antennas; m++) {
            dot(n, g->W->re + m * n, g->W->im + m * n, &g->s, &re, &im);
            g->sent2[m] += re * re + im * im;
        }
    }
    g->count += T;
}

double gmi_energy(const gmi_t *g)
{
    double sum = 0;
    for (int m = 0; m < g->n_antennas; m++) {
        sum += g->sent2[m];
    }
    return g->count ? sum / g->count : 0;
}

double gmi_rate(const gmi_t *g, int n_ant, const double *error, int equal)
{
    const int n = g->links->n;
    const double energy = gmi_energy(g), f = equal && energy > 0 ? g->links->Pt / energy : 1;
    double rate = 0;
    for (int k = 0; k < n && g->count; k++) {
        const double re = g->match.re[k] / g->count, im = g->match.im[k] / g->count;
        const double symbol2 = g->symbol2[k] / g->count, received2 = g->received2[k] / g->count;
        double leak = 0;
        for (int m = 0; m < g->n_antennas; m++) {
            leak += error[(m / n_ant) * n + k] * g->sent2[m] / g->count;
        }
        const double S = symbol2 > 0 ? f * g->links->rho * (re * re + im * im) / symbol2 : 0;
        const double T = f * g->links->rho * (received2 + leak) + g->links->sigma2;
        rate += log2(1 + S / (T - S));
    }
    return rate;
}
