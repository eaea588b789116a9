/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "linalg/small.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

void small_gram(int rows, int n, const double *Ar, const double *Ai, const double *w, int group, double *Gr, double *Gi)
{
    memset(Gr, 0, (size_t)n * (size_t)n * sizeof *Gr);
    memset(Gi, 0, (size_t)n * (size_t)n * sizeof *Gi);
    for (int r = 0; r < rows; r++) {
        const double *ar = Ar + (size_t)r * (size_t)n, *ai = Ai + (size_t)r * (size_t)n;
        const double weight = w ? w[r / group] : 1.0;
        for (int k = 0; k < n; k++) {
            const double xr = weight * ar[k], xi = weight * ai[k];
            double *restrict gr = Gr + (size_t)k * (size_t)n, *restrict gi = Gi + (size_t)k * (size_t)n;
            for (int j = 0; j <= k; j++) {
                gr[j] += xr * ar[j] + xi * ai[j];
                gi[j] += xr * ai[j] - xi * ar[j];
            }
        }
    }
    for (int k = 0; k < n; k++) {
        Gi[k * n + k] = 0;
        for (int j = 0; j < k; j++) {
            Gr[j * n + k] = Gr[k * n + j];
            Gi[j * n + k] = -Gi[k * n + j];
        }
    }
}

int small_cholesky(int n, double *Ar, double *Ai, double pivot_min)
{
    for (int j = 0; j < n; j++) {
        double *ajr = Ar + j * n, *aji = Ai + j * n;
        double d = ajr[j];
        for (int p = 0; p < j; p++)
            d -= ajr[p] * ajr[p] + aji[p] * aji[p];
        if (!(d > pivot_min) || !isfinite(d))
            return j + 1;
        ajr[j] = sqrt(d);
        aji[j] = 0;
        const double inv = 1 / ajr[j];
        for (int i = j + 1; i < n; i++) {
            double *air = Ar + i * n, *aii = Ai + i * n;
            double sr = air[j], si = aii[j];
            for (int p = 0; p < j; p++) {
                sr -= air[p] * ajr[p] + aii[p] * aji[p];
                si -= aii[p] * ajr[p] - air[p] * aji[p];
            }
            air[j] = sr * inv;
            aii[j] = si * inv;
        }
    }
    return 0;
}

/* Column c of the inverse: L z = e_c, then L^H x = z. */
static void inverse_column(int n, const double *Lr, const double *Li, int c, double *xr, double *xi)
{
    for (int i = c; i < n; i++) {
        double sr = i == c ? 1 : 0, si = 0;
        for (int p = c; p < i; p++) {
            sr -= Lr[i * n + p] * xr[p] - Li[i * n + p] * xi[p];
            si -= Lr[i * n + p] * xi[p] + Li[i * n + p] * xr[p];
        }
        xr[i] = sr / Lr[i * n + i];
        xi[i] = si / Lr[i * n + i];
    }
    for (int i = n - 1; i >= c; i--) {
        double sr = xr[i], si = xi[i];
        for (int p = i + 1; p < n; p++) {
            sr -= Lr[p * n + i] * xr[p] + Li[p * n + i] * xi[p];
            si -= Lr[p * n + i] * xi[p] - Li[p * n + i] * xr[p];
        }
        xr[i] = sr / Lr[i * n + i];
        xi[i] = si / Lr[i * n + i];
    }
}

void small_cholesky_inverse(int n, const double *Lr, const double *Li, double *Xr, double *Xi, double *work)
{
    double *xr = work, *xi = work + n;
    for (int c = 0; c < n; c++) {
        inverse_column(n, Lr, Li, c, xr, xi);
        for (int i = c; i < n; i++) {
            Xr[i * n + c] = xr[i];
            Xi[i * n + c] = xi[i];
            Xr[c * n + i] = xr[i];
            Xi[c * n + i] = -xi[i];
        }
        Xi[c * n + c] = 0;
    }
}

void small_multiply(int rows, int n, const double *Ar, const double *Ai, const double *Br, const double *Bi, double *Cr,
                    double *Ci)
{
    for (int r = 0; r < rows; r++) {
        double *restrict cr = Cr + (size_t)r * (size_t)n, *restrict ci = Ci + (size_t)r * (size_t)n;
        memset(cr, 0, (size_t)n * sizeof *cr);
        memset(ci, 0, (size_t)n * sizeof *ci);
        for (int k = 0; k < n; k++) {
            const double ar = Ar[(size_t)r * (size_t)n + (size_t)k], ai = Ai[(size_t)r * (size_t)n + (size_t)k];
            for (int j = 0; j < n; j++) {
                cr[j] += ar * Br[k * n + j] - ai * Bi[k * n + j];
                ci[j] += ar * Bi[k * n + j] + ai * Br[k * n + j];
            }
        }
    }
}

int small_lu_m_matrix(int n, double *A)
{
    for (int k = 0; k < n; k++) {
        const double pivot = A[k * n + k];
        if (!(pivot > 0) || !isfinite(pivot))
            return k + 1;
        for (int i = k + 1; i < n; i++) {
            const double l = A[i * n + k] / pivot;
            A[i * n + k] = l;
            for (int j = k + 1; j < n; j++)
                A[i * n + j] -= l * A[k * n + j];
        }
    }
    return 0;
}

void small_lu_solve(int n, const double *LU, double *x)
{
    for (int i = 1; i < n; i++)
        for (int j = 0; j < i; j++)
            x[i] -= LU[i * n + j] * x[j];
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            x[i] -= LU[i * n + j] * x[j];
        x[i] /= LU[i * n + i];
    }
}
