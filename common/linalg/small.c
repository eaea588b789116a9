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
        for (int p = 0; p < j; p++) {
            d -= ajr[p] * ajr[p] + aji[p] * aji[p];
        }
        if (!(d > pivot_min) || !isfinite(d)) {
            return j + 1;
        }
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

void small_lower_inverse(int n, const double *Lr, const double *Li, double *Xr, double *Xi)
{
    memset(Xr, 0, (size_t)n * (size_t)n * sizeof *Xr);
    memset(Xi, 0, (size_t)n * (size_t)n * sizeof *Xi);
    for (int i = 0; i < n; i++) { /* row i of X: (e_i - sum_p L_ip X_p) / L_ii */
        double *restrict xr = Xr + i * n, *restrict xi = Xi + i * n;
        const double inv = 1 / Lr[i * n + i];
        for (int p = 0; p < i; p++) {
            const double lr = Lr[i * n + p] * inv, li = Li[i * n + p] * inv;
            const double *yr = Xr + p * n, *yi = Xi + p * n;
            for (int c = 0; c <= p; c++) {
                xr[c] -= lr * yr[c] - li * yi[c];
                xi[c] -= lr * yi[c] + li * yr[c];
            }
        }
        xr[i] = inv;
    }
}

void small_lower_square(int n, const double *Xr, const double *Xi, double *Yr, double *Yi)
{
    memset(Yr, 0, (size_t)n * (size_t)n * sizeof *Yr);
    memset(Yi, 0, (size_t)n * (size_t)n * sizeof *Yi);
    for (int p = 0; p < n; p++) { /* add conj(row p)^T row p */
        const double *xr = Xr + p * n, *xi = Xi + p * n;
        for (int k = 0; k <= p; k++) {
            double *restrict yr = Yr + k * n, *restrict yi = Yi + k * n;
            for (int j = 0; j <= k; j++) {
                yr[j] += xr[k] * xr[j] + xi[k] * xi[j];
                yi[j] += xr[k] * xi[j] - xi[k] * xr[j];
            }
        }
    }
    for (int k = 0; k < n; k++) {
        Yi[k * n + k] = 0;
        for (int j = 0; j < k; j++) {
            Yr[j * n + k] = Yr[k * n + j];
            Yi[j * n + k] = -Yi[k * n + j];
        }
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
        if (!(pivot > 0) || !isfinite(pivot)) {
            return k + 1;
        }
        for (int i = k + 1; i < n; i++) {
            const double l = A[i * n + k] / pivot;
            A[i * n + k] = l;
            for (int j = k + 1; j < n; j++) {
                A[i * n + j] -= l * A[k * n + j];
            }
        }
    }
    return 0;
}

void small_lu_solve(int n, const double *LU, double *x)
{
    for (int i = 1; i < n; i++) {
        for (int j = 0; j < i; j++) {
            x[i] -= LU[i * n + j] * x[j];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) {
            x[i] -= LU[i * n + j] * x[j];
        }
        x[i] /= LU[i * n + i];
    }
}

/* Move the row with the largest entry of column k to row k, in both matrices. */
static int pivot_row(int n, int k, double *A, double *X)
{
    int best = k;
    for (int i = k + 1; i < n; i++) {
        if (fabs(A[i * n + k]) > fabs(A[best * n + k])) {
            best = i;
        }
    }
    if (!(fabs(A[best * n + k]) > 0) || !isfinite(A[best * n + k])) {
        return k + 1;
    }
    for (int j = 0; j < n && best != k; j++) {
        const double a = A[k * n + j], x = X[k * n + j];
        A[k * n + j] = A[best * n + j];
        A[best * n + j] = a;
        X[k * n + j] = X[best * n + j];
        X[best * n + j] = x;
    }
    return 0;
}

int small_inverse(int n, double *A, double *X)
{
    memset(X, 0, (size_t)n * (size_t)n * sizeof *X);
    for (int k = 0; k < n; k++) {
        X[k * n + k] = 1;
    }
    for (int k = 0; k < n; k++) {
        if (pivot_row(n, k, A, X)) {
            return k + 1;
        }
        const double scale = 1 / A[k * n + k];
        for (int j = 0; j < n; j++) {
            A[k * n + j] *= scale;
            X[k * n + j] *= scale;
        }
        for (int i = 0; i < n; i++) {
            const double l = A[i * n + k];
            if (i == k || l == 0) {
                continue;
            }
            for (int j = 0; j < n; j++) {
                A[i * n + j] -= l * A[k * n + j];
                X[i * n + j] -= l * X[k * n + j];
            }
        }
    }
    return 0;
}
