/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "linalg/symmetric.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SWEEPS = 40 };

static double square_sum(int n, const double *A, int only_off_diagonal)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            sum += i == j && only_off_diagonal ? 0 : A[i * n + j] * A[i * n + j];
        }
    }
    return sum;
}

/* Rows a and b by the rotation (c, s). */
static void rotate_rows(int n, double c, double s, double *a, double *b)
{
    for (int j = 0; j < n; j++) {
        const double x = a[j], y = b[j];
        a[j] = c * x - s * y;
        b[j] = s * x + c * y;
    }
}

/* The rotation that makes A_pq zero (Golub, Van Loan: Matrix Computations, 8.5.2). */
static void rotate(int n, int p, int q, double *A, double *V)
{
    const double theta = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q]);
    const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + hypot(theta, 1));
    const double c = 1 / hypot(t, 1), s = t * c;
    rotate_rows(n, c, s, A + p * n, A + q * n);
    for (int i = 0; i < n; i++) {
        const double x = A[i * n + p], y = A[i * n + q];
        A[i * n + p] = c * x - s * y;
        A[i * n + q] = s * x + c * y;
    }
    A[p * n + q] = A[q * n + p] = 0;
    rotate_rows(n, c, s, V + p * n, V + q * n);
}

void symmetric_eigen(int n, double *A, double *V)
{
    memset(V, 0, (size_t)n * (size_t)n * sizeof *V);
    for (int i = 0; i < n; i++) {
        V[i * n + i] = 1;
    }
    const double enough = DBL_EPSILON * DBL_EPSILON * square_sum(n, A, 0);
    for (int sweep = 0; sweep < SWEEPS && square_sum(n, A, 1) > enough; sweep++) {
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) {
                if (fabs(A[p * n + q]) > DBL_MIN) {
                    rotate(n, p, q, A, V);
                }
            }
        }
    }
}

void symmetric_solve(int n, const double *A, const double *V, double cut, const double *b, double *x)
{
    double largest = 0;
    for (int i = 0; i < n; i++) {
        largest = fmax(largest, A[i * n + i]);
        x[i] = 0;
    }
    for (int i = 0; i < n; i++) {
        const double *const v = V + i * n;
        double along = 0;
        if (!(A[i * n + i] > cut * largest)) {
            continue;
        }
        for (int j = 0; j < n; j++) {
            along += v[j] * b[j];
        }
        for (int j = 0; j < n; j++) {
            x[j] += v[j] * along / A[i * n + i];
        }
    }
}

void symmetric_embed(int n, const double *Gr, const double *Gi, double *A)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            A[i * 2 * n + j] = A[(n + i) * 2 * n + n + j] = Gr[i * n + j];
            A[(n + i) * 2 * n + j] = Gi[i * n + j];
            A[i * 2 * n + n + j] = -Gi[i * n + j];
        }
    }
}
