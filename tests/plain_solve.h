/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_PLAIN_SOLVE_H
#define TUTTI_TESTS_PLAIN_SOLVE_H

#include <complex.h>

/* x = A^-1 b, into b, by Gauss with pivoting, for references; overwrites A. */
static inline void plain_solve(int n, double complex *A, double complex *b)
{
    for (int c = 0; c < n; c++) {
        int p = c;
        for (int i = c; i < n; i++) {
            p = cabs(A[i * n + c]) > cabs(A[p * n + c]) ? i : p;
        }
        for (int j = 0; j < n; j++) {
            const double complex kept = A[c * n + j];
            A[c * n + j] = A[p * n + j];
            A[p * n + j] = kept;
        }
        const double complex kept = b[c];
        b[c] = b[p];
        b[p] = kept;
        for (int i = 0; i < n; i++) {
            const double complex f = i == c ? 0 : A[i * n + c] / A[c * n + c];
            for (int j = 0; j < n; j++) {
                A[i * n + j] -= f * A[c * n + j];
            }
            b[i] -= f * b[c];
        }
    }
    for (int i = 0; i < n; i++) {
        b[i] /= A[i * n + i];
    }
}

#endif
