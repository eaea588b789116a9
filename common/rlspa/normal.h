/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normal equations of power allocation, real, symmetric, n <= a few dozen. No allocation, no lock. */
#ifndef TUTTI_RLSPA_NORMAL_H
#define TUTTI_RLSPA_NORMAL_H

#include "rlspa/split.h"

/* Q [n][n] = B^H B. */
void normal_square(int n, const struct split *B, const struct split *Q);
/* Doubles of work. */
size_t normal_work(int n);
/* p = N^-1 r for a symmetric positive semidefinite N [n][n]; when its smallest eigenvalue is at most 1e-13 of the
 * largest, the minimiser of least norm. N and r are left alone. n^3 / 3 flops, with loss of rank 100 n^3. */
void normal_solve(int n, const double *N, const double *r, double *work, double *p);

#endif
