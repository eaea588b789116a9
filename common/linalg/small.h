/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small dense kernels in double precision for the block path: no allocation, no lock, no thread (OpenBLAS does all
 * three). Row-major; complex matrices are split into a real and an imaginary array so that plain loops vectorise. */
#ifndef TUTTI_LINALG_SMALL_H
#define TUTTI_LINALG_SMALL_H

/* G [n][n] = A^H diag(w) A for A [rows][n]; row r has weight w[r / group] (w NULL = 1, group >= 1). Both triangles. */
void small_gram(int rows, int n, const double *Ar, const double *Ai, const double *w, int group, double *Gr,
                double *Gi);

/* In place lower Cholesky factor of a Hermitian A [n][n] (reads the lower triangle). Returns 0, or k + 1 when pivot k
 * is not above pivot_min (A is then spoilt). The diagonal of the factor is real and stored in Ar. */
int small_cholesky(int n, double *Ar, double *Ai, double pivot_min);
/* X [n][n] = L^-1, lower triangle (the upper is zeroed), from the factor. */
void small_lower_inverse(int n, const double *Lr, const double *Li, double *Xr, double *Xi);
/* Y [n][n] = X^H X for lower-triangular X, both triangles: with X = L^-1 the inverse of L L^H. Y must not overlap X. */
void small_lower_square(int n, const double *Xr, const double *Xi, double *Yr, double *Yi);

/* C [rows][n] = A [rows][n] B [n][n]. C must not overlap A or B. */
void small_multiply(int rows, int n, const double *Ar, const double *Ai, const double *Br, const double *Bi, double *Cr,
                    double *Ci);

/* Real LU without pivoting, in place, for M-matrices (s I - F with F >= 0). Returns 0, or k + 1 when pivot k is not
 * positive, which says that s is not above the spectral radius of F. */
int small_lu_m_matrix(int n, double *A);
void small_lu_solve(int n, const double *LU, double *x);

/* X [n][n] = A^-1 for a general real A, which is spoilt; Gauss-Jordan with row pivoting. Nonzero when singular. */
int small_inverse(int n, double *A, double *X);

#endif
