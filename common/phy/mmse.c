/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/mmse.h"

#include "linalg/small.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Of the mean diagonal: below what single-precision gains can tell. */
static const double LOADING = 1e-9;

/* n x n matrices in the work area. */
struct work {
    double *Rr, *Ri;     /* covariance of the disturbance */
    double *Lr, *Li;     /* its Cholesky factor */
    double *Xr, *Xi;     /* the inverse of that */
    double *u_re, *u_im; /* [n] */
};

static struct work divide(double *at, int n)
{
    const int square = n * n;
    return (struct work){at,
                         at + square,
                         at + 2 * square,
                         at + 3 * square,
                         at + 4 * square,
                         at + 5 * square,
                         at + 6 * square,
                         at + 6 * square + n};
}

int mmse_work_size(int n_ant)
{
    return 6 * n_ant * n_ant + 2 * n_ant;
}

static void add_stream(int n, const double *g_re, const double *g_im, double *Rr, double *Ri)
{
    for (int m = 0; m < n; m++) {
        for (int q = 0; q < n; q++) {
            Rr[m * n + q] += g_re[m] * g_re[q] + g_im[m] * g_im[q];
            Ri[m * n + q] += g_im[m] * g_re[q] - g_re[m] * g_im[q];
        }
    }
}

static void disturbance(const struct mmse_channel *c, int stream, double *Rr, double *Ri)
{
    const int n = c->n_ant;
    memcpy(Rr, c->noise_re, sizeof *Rr * (size_t)(n * n));
    memcpy(Ri, c->noise_im, sizeof *Ri * (size_t)(n * n));
    for (int j = 0; j < c->n_stream; j++) {
        if (j != stream) {
            add_stream(n, c->gain_re + j * n, c->gain_im + j * n, Rr, Ri);
        }
    }
}

/* w = R^-1 g by the inverse factor X of R: X^H X g. false: R is singular. */
static bool solve(int n, const struct work *k, const double *g_re, const double *g_im, double *w_re, double *w_im)
{
    double trace = 0;
    memcpy(k->Lr, k->Rr, sizeof *k->Lr * (size_t)(n * n));
    memcpy(k->Li, k->Ri, sizeof *k->Li * (size_t)(n * n));
    for (int i = 0; i < n; i++) {
        trace += k->Rr[i * n + i];
    }
    for (int i = 0; i < n; i++) {
        k->Lr[i * n + i] += LOADING * trace / n;
    }
    if (small_cholesky(n, k->Lr, k->Li, 0.0) != 0) {
        return false;
    }
    small_lower_inverse(n, k->Lr, k->Li, k->Xr, k->Xi);
    for (int i = 0; i < n; i++) {
        k->u_re[i] = k->u_im[i] = 0;
        for (int j = 0; j <= i; j++) {
            k->u_re[i] += k->Xr[i * n + j] * g_re[j] - k->Xi[i * n + j] * g_im[j];
            k->u_im[i] += k->Xr[i * n + j] * g_im[j] + k->Xi[i * n + j] * g_re[j];
        }
    }
    for (int i = 0; i < n; i++) {
        w_re[i] = w_im[i] = 0;
        for (int j = i; j < n; j++) {
            w_re[i] += k->Xr[j * n + i] * k->u_re[j] + k->Xi[j * n + i] * k->u_im[j];
            w_im[i] += k->Xr[j * n + i] * k->u_im[j] - k->Xi[j * n + i] * k->u_re[j];
        }
    }
    return true;
}

/* tr X noise X^H, X the inverse factor that solve left. */
static double noise_dimensions(int n, const struct work *k, const double *noise_re, const double *noise_im)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double *x_re = k->Xr + i * n, *x_im = k->Xi + i * n;
        for (int m = 0; m <= i; m++) {
            for (int q = 0; q <= i; q++) {
                const double re = x_re[m] * x_re[q] + x_im[m] * x_im[q], im = x_im[m] * x_re[q] - x_re[m] * x_im[q];
                sum += re * noise_re[m * n + q] - im * noise_im[m * n + q];
            }
        }
    }
    return sum;
}

static void normalise(int n, double *w_re, double *w_im)
{
    double norm = 0;
    for (int m = 0; m < n; m++) {
        norm += w_re[m] * w_re[m] + w_im[m] * w_im[m];
    }
    const bool usable = norm > 0 && isfinite(norm);
    for (int m = 0; m < n; m++) {
        w_re[m] = usable ? w_re[m] / sqrt(norm) : m == 0;
        w_im[m] = usable ? w_im[m] / sqrt(norm) : 0;
    }
}

/* w^H R w, R Hermitian. */
static double power_through(int n, const double *w_re, const double *w_im, const double *Rr, const double *Ri)
{
    double sum = 0;
    for (int m = 0; m < n; m++) {
        for (int q = 0; q < n; q++) {
            const double re = w_re[m] * w_re[q] + w_im[m] * w_im[q], im = w_re[m] * w_im[q] - w_im[m] * w_re[q];
            sum += re * Rr[m * n + q] - im * Ri[m * n + q];
        }
    }
    return sum;
}

void mmse_combine(const struct mmse_channel *channel, int stream, double *work, double *w_re, double *w_im,
                  struct mmse_combined *combined)
{
    const int n = channel->n_ant;
    const double *g_re = channel->gain_re + stream * n, *g_im = channel->gain_im + stream * n;
    const struct work k = divide(work, n);
    disturbance(channel, stream, k.Rr, k.Ri);
    *combined = (struct mmse_combined){.dimensions = n};
    if (solve(n, &k, g_re, g_im, w_re, w_im)) {
        combined->dimensions = noise_dimensions(n, &k, channel->noise_re, channel->noise_im);
    } else {
        memcpy(w_re, g_re, sizeof *w_re * (size_t)n);
        memcpy(w_im, g_im, sizeof *w_im * (size_t)n);
    }
    normalise(n, w_re, w_im);
    if (n == 1) { /* not even turned */
        w_re[0] = 1;
        w_im[0] = 0;
    }
    combined->disturbance = power_through(n, w_re, w_im, k.Rr, k.Ri);
    for (int m = 0; m < n; m++) {
        combined->gain_re += w_re[m] * g_re[m] + w_im[m] * g_im[m];
        combined->gain_im += w_re[m] * g_im[m] - w_im[m] * g_re[m];
    }
}
