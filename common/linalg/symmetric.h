/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Eigenvalues of small real symmetric matrices by cyclic Jacobi rotations: what a factorisation is not enough for, rank
 * and least-norm solutions. About 10 n^3 flops per sweep and 6 to 10 sweeps; no allocation, no lock. */
#ifndef TUTTI_LINALG_SYMMETRIC_H
#define TUTTI_LINALG_SYMMETRIC_H

/* A [n][n] = sum_i d_i v_i v_i^T: d on the diagonal of A afterwards, v_i in row i of V [n][n]. */
void symmetric_eigen(int n, double *A, double *V);
/* x [n] of least norm that minimises ||A x - b||, eigenvalues at or below cut * the largest counting as 0. A and V are
 * those that symmetric_eigen left; x must not overlap b. */
void symmetric_solve(int n, const double *A, const double *V, double cut, const double *b, double *x);

/* The complex Hermitian G [n][n] as a real symmetric A [2n][2n] with every eigenvalue twice. */
void symmetric_embed(int n, const double *Gr, const double *Gi, double *A);

#endif
