/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/fuse.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/small.h"

#include <stdlib.h>
#include <string.h>

struct fuse {
    int n_ap, n_ue;
    double *A;               /* [2][n_ap][n_ap] */
    double complex *compact; /* [n_ap] right-hand side of the APs that have a stream */
    int *ap;                 /* [n_ap] which those are */
};

int fuse_create(fuse_t **fuse, int n_ap, int n_ue)
{
    fuse_t *const f = *fuse = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "no memory for the fusion of %d APs", n_ap);
    }
    const size_t n = (size_t)n_ap;
    *f = (struct fuse){.n_ap = n_ap,
                       .n_ue = n_ue,
                       .A = calloc(2 * n * n, sizeof(double)),
                       .compact = calloc(n, sizeof(double complex)),
                       .ap = calloc(n, sizeof(int))};
    return f->A && f->compact && f->ap ? 0 : error_set(TUTTI_ENOMEM, "no memory for the fusion of %d APs", n_ap);
}

void fuse_destroy(fuse_t *fuse)
{
    if (fuse) {
        free(fuse->A);
        free(fuse->compact);
        free(fuse->ap);
        free(fuse);
    }
}

/* x := L^-H L^-1 x for the factor in A, n x n, split. */
static void substitute(const double *A, int n, double complex *x)
{
    const size_t size = (size_t)n;
    const double *const re = A, *const im = A + size * size;
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < i; j++) {
            x[i] -= CMPLX(re[i * size + j], im[i * size + j]) * x[j];
        }
        x[i] /= re[i * size + i];
    }
    for (size_t i = size; i-- > 0;) {
        for (size_t j = i + 1; j < size; j++) {
            x[i] -= CMPLX(re[j * size + i], -im[j * size + i]) * x[j];
        }
        x[i] /= re[i * size + i];
    }
}

static int solve(fuse_t *fuse, int n, double complex *a)
{
    const size_t size = (size_t)n;
    double trace = 0;
    for (size_t i = 0; i < size; i++) {
        trace += fuse->A[i * size + i];
    }
    if (n == 0 || small_cholesky(n, fuse->A, fuse->A + size * size, 1e-15 * trace)) {
        return error_set(TUTTI_ENUMERIC, "no AP hears the user");
    }
    substitute(fuse->A, n, fuse->compact);
    for (size_t i = 0; i < size; i++) {
        a[fuse->ap[i]] = fuse->compact[i];
    }
    return 0;
}

int fuse_instant(fuse_t *fuse, int k, const double complex *g, const double *f, double complex *a)
{
    const int k_max = fuse->n_ue;
    int n = 0;
    for (int l = 0; l < fuse->n_ap; l++) {
        a[l] = 0;
        if (f[l] > 0) {
            fuse->ap[n++] = l;
        }
    }
    const size_t size = (size_t)n;
    double *const re = fuse->A, *const im = fuse->A + size * size;
    for (int i = 0; i < n; i++) {
        const double complex *const row = g + fuse->ap[i] * k_max;
        fuse->compact[i] = row[k];
        for (int j = 0; j <= i; j++) {
            const double complex *const other = g + fuse->ap[j] * k_max;
            double complex sum = i == j ? f[fuse->ap[i]] : 0;
            for (int user = 0; user < k_max; user++) {
                sum += cmplx_product_double(row[user], conj(other[user]));
            }
            re[i * n + j] = creal(sum);
            im[i * n + j] = cimag(sum);
        }
    }
    return solve(fuse, n, a);
}

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

double fuse_sinr(const fuse_t *fuse, int k, const double complex *g, const double *f, const double complex *a)
{
    double signal = 0, disturbance = 0;
    for (int i = 0; i < fuse->n_ue; i++) {
        double complex sum = 0;
        for (int l = 0; l < fuse->n_ap; l++) {
            sum += cmplx_product_double(conj(a[l]), g[l * fuse->n_ue + i]);
        }
        *(i == k ? &signal : &disturbance) += power_of(sum);
    }
    for (int l = 0; l < fuse->n_ap; l++) {
        disturbance += power_of(a[l]) * f[l];
    }
    return disturbance > 0 ? signal / disturbance : 0;
}

int fuse_lsfd(fuse_t *fuse, const double complex *b, const double complex *Q, double complex *a, double *sinr)
{
    const size_t n = (size_t)fuse->n_ap;
    for (size_t i = 0; i < n; i++) {
        fuse->ap[i] = (int)i;
        fuse->compact[i] = b[i];
        for (size_t j = 0; j <= i; j++) {
            fuse->A[i * n + j] = creal(Q[i * n + j]);
            fuse->A[n * n + i * n + j] = cimag(Q[i * n + j]);
        }
    }
    const int status = solve(fuse, fuse->n_ap, a);
    double complex signal = 0, disturbance = 0;
    for (size_t i = 0; i < n && !status; i++) {
        signal += conj(a[i]) * b[i];
        for (size_t j = 0; j < n; j++) {
            disturbance += conj(a[i]) * Q[i * n + j] * a[j];
        }
    }
    *sinr = creal(disturbance) > 0 ? power_of(signal) / creal(disturbance) : 0;
    return status;
}

void fuse_mr_moments(int n_ap, int n_ue, int n_ant, int k, const double *beta, const double *gamma, const int *pilot,
                     double complex *b, double complex *Q)
{
    memset(Q, 0, (size_t)n_ap * (size_t)n_ap * sizeof *Q);
    for (int l = 0; l < n_ap; l++) {
        const double own = n_ant * gamma[l * n_ue + k];
        b[l] = own;
        Q[l * n_ap + l] += own; /* noise */
        for (int i = 0; i < n_ue; i++) {
            Q[l * n_ap + l] += own * beta[l * n_ue + i];
        }
        for (int i = 0; i < n_ue; i++) { /* users on the same pilot arrive in step at all APs */
            for (int m = 0; m < n_ap && pilot[i] == pilot[k] && i != k; m++) {
                const double there = own * beta[l * n_ue + i] / beta[l * n_ue + k];
                const double here = n_ant * gamma[m * n_ue + k] * beta[m * n_ue + i] / beta[m * n_ue + k];
                Q[l * n_ap + m] += there * here;
            }
        }
    }
}
