/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/normal.h"

#include "linalg/small.h"
#include "linalg/symmetric.h"

#include <math.h>
#include <string.h>

/* A pivot above PIVOT times the largest diagonal entry leaves no doubt that the smallest eigenvalue is above CUT. */
static const double CUT = 1e-13, PIVOT = 1e-10;

void normal_square(int n, const struct split *B, const struct split *Q)
{
    small_gram(n, n, B->re, B->im, NULL, 1, Q->re, Q->im);
}

size_t normal_work(int n)
{
    return 2 * (size_t)n * (size_t)n;
}

/* L D L^T in place, the factor below the diagonal; nonzero when a pivot is too small. */
static int factor(int n, double *A)
{
    double largest = 0;
    for (int i = 0; i < n; i++) {
        largest = fmax(largest, A[i * n + i]);
    }
    for (int j = 0; j < n; j++) {
        if (!(A[j * n + j] > PIVOT * largest)) {
            return j + 1;
        }
        for (int i = j + 1; i < n; i++) {
            const double f = A[i * n + j] / A[j * n + j];
            for (int k = j + 1; k <= i; k++) {
                A[i * n + k] -= f * A[k * n + j];
            }
        }
    }
    return 0;
}

/* A holds L D below and D on the diagonal. */
static void substitute(int n, const double *A, double *p)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            p[i] -= A[i * n + j] / A[j * n + j] * p[j];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) {
            p[i] -= A[j * n + i] * p[j];
        }
        p[i] /= A[i * n + i];
    }
}

void normal_solve(int n, const double *N, const double *r, double *work, double *p)
{
    memcpy(work, N, (size_t)n * (size_t)n * sizeof *work);
    if (factor(n, work)) {
        memcpy(work, N, (size_t)n * (size_t)n * sizeof *work);
        symmetric_eigen(n, work, work + n * n);
        symmetric_solve(n, work, work + n * n, CUT, r, p);
        return;
    }
    memcpy(p, r, (size_t)n * sizeof *p);
    substitute(n, work, p);
}
