/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/beams.h"

#include "linalg/small.h"
#include "linalg/symmetric.h"

#include <math.h>
#include <string.h>

/* Singular values relative to the largest; the Gram matrix has their squares. */
static const double CUT = 1e-10, PIVOT = 1e-13;

struct work {
    struct split G, L, X, Y; /* [n][n] */
    double *A, *V, *b, *x;   /* [2n][2n] twice, [2n] twice */
    struct split product;    /* [M][n] */
};

static size_t layout(struct work *w, struct slab *slab, int n_antennas, int n)
{
    const size_t k = (size_t)n, square = k * k;
    w->G = slab_split(slab, square);
    w->L = slab_split(slab, square);
    w->X = slab_split(slab, square);
    w->Y = slab_split(slab, square);
    w->A = slab_take(slab, 4 * square);
    w->V = slab_take(slab, 4 * square);
    w->b = slab_take(slab, 2 * k);
    w->x = slab_take(slab, 2 * k);
    w->product = slab_split(slab, (size_t)n_antennas * k);
    return slab->used;
}

size_t beams_work(int n_antennas, int n)
{
    struct work w;
    struct slab slab = {NULL, 0};
    return layout(&w, &slab, n_antennas, n);
}

static double trace(int n, const double *A)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += A[i * n + i];
    }
    return sum;
}

/* Y = G^-1 if every singular value is surely above the cut: trace(G) trace(G^-1) bounds the condition. */
static int invert(struct work *w, int n)
{
    const size_t size = (size_t)n * (size_t)n * sizeof(double);
    memcpy(w->L.re, w->G.re, size);
    memcpy(w->L.im, w->G.im, size);
    if (small_cholesky(n, w->L.re, w->L.im, PIVOT * trace(n, w->G.re))) {
        return -1;
    }
    small_lower_inverse(n, w->L.re, w->L.im, w->X.re, w->X.im);
    small_lower_square(n, w->X.re, w->X.im, w->Y.re, w->Y.im);
    return trace(n, w->G.re) * trace(n, w->Y.re) < 1 / CUT ? 0 : -1;
}

/* Y = pinv(G), column by column; returns the rank. */
static int invert_what_is_there(struct work *w, int n)
{
    double largest = 0;
    int rank = 0;
    symmetric_embed(n, w->G.re, w->G.im, w->A);
    symmetric_eigen(2 * n, w->A, w->V);
    for (int j = 0; j < n; j++) {
        memset(w->b, 0, 2 * (size_t)n * sizeof *w->b);
        w->b[j] = 1;
        symmetric_solve(2 * n, w->A, w->V, CUT, w->b, w->x);
        for (int i = 0; i < n; i++) {
            w->Y.re[i * n + j] = w->x[i];
            w->Y.im[i * n + j] = w->x[n + i];
        }
    }
    for (int i = 0; i < 2 * n; i++) {
        largest = fmax(largest, w->A[i * 2 * n + i]);
    }
    for (int i = 0; i < 2 * n; i++) {
        rank += w->A[i * 2 * n + i] > CUT * largest;
    }
    return rank / 2;
}

int beams_zf(int n_antennas, int n, const struct split *Ga, double *work, struct split *W)
{
    struct work w;
    struct slab slab = {work, 0};
    layout(&w, &slab, n_antennas, n);
    small_gram(n_antennas, n, Ga->re, Ga->im, NULL, 1, w.G.re, w.G.im);
    const int rank = invert(&w, n) ? invert_what_is_there(&w, n) : n;
    small_multiply(n_antennas, n, Ga->re, Ga->im, w.Y.re, w.Y.im, w.product.re, w.product.im);
    beams_norms(n_antennas, n, &w.product, w.b);
    for (int k = 0; k < n; k++) {
        w.b[k] = w.b[k] > 0 ? 1 / sqrt(w.b[k]) : 0;
    }
    for (int m = 0; m < n_antennas; m++) {
        for (int k = 0; k < n; k++) {
            W->re[m * n + k] = w.b[k] * w.product.re[m * n + k];
            W->im[m * n + k] = -w.b[k] * w.product.im[m * n + k];
        }
    }
    return rank;
}

/* sign -1: the conjugate of G. */
static void multiply(int n_antennas, int n, const struct split *G, double sign, const struct split *W, struct split *B)
{
    memset(B->re, 0, (size_t)n * (size_t)n * sizeof *B->re);
    memset(B->im, 0, (size_t)n * (size_t)n * sizeof *B->im);
    for (int m = 0; m < n_antennas; m++) {
        const double *const wr = W->re + m * n, *const wi = W->im + m * n;
        for (int k = 0; k < n; k++) {
            const double gr = G->re[m * n + k], gi = sign * G->im[m * n + k];
            double *restrict br = B->re + k * n, *restrict bi = B->im + k * n;
            for (int j = 0; j < n; j++) {
                br[j] += gr * wr[j] - gi * wi[j];
                bi[j] += gr * wi[j] + gi * wr[j];
            }
        }
    }
}

void beams_effective(int n_antennas, int n, const struct split *G, const struct split *W, struct split *B)
{
    multiply(n_antennas, n, G, 1, W, B);
}

void beams_received(int n_antennas, int n, const struct split *H, const struct split *W, struct split *B)
{
    multiply(n_antennas, n, H, -1, W, B);
}

void beams_norms(int n_antennas, int n, const struct split *W, double *w2)
{
    memset(w2, 0, (size_t)n * sizeof *w2);
    for (int m = 0; m < n_antennas; m++) {
        for (int k = 0; k < n; k++) {
            w2[k] += W->re[m * n + k] * W->re[m * n + k] + W->im[m * n + k] * W->im[m * n + k];
        }
    }
}

void beams_error_gain(int n_ap, int n_ant, int n, const double *error, const struct split *W, double *F)
{
    memset(F, 0, (size_t)n * (size_t)n * sizeof *F);
    for (int m = 0; m < n_ap * n_ant; m++) {
        const double *const wr = W->re + m * n, *const wi = W->im + m * n;
        for (int k = 0; k < n; k++) {
            const double e = error[(m / n_ant) * n + k];
            for (int i = 0; i < n; i++) {
                F[k * n + i] += e * (wr[i] * wr[i] + wi[i] * wi[i]);
            }
        }
    }
}

void beams_error_power(int n_ap, int n_ant, int n, const double *gamma, const struct split *W, double *power)
{
    memset(power, 0, (size_t)n * sizeof *power);
    for (int m = 0; m < n_ap * n_ant; m++) {
        for (int k = 0; k < n; k++) {
            power[k] += gamma[m / n_ant] * (W->re[m * n + k] * W->re[m * n + k] + W->im[m * n + k] * W->im[m * n + k]);
        }
    }
}
