/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single-precision kernels with one source compiled for several instruction sets; kernel_get picks the widest this
 * processor has, once. No allocation, no lock. */
#ifndef TUTTI_LINALG_KERNEL_H
#define TUTTI_LINALG_KERNEL_H

#include "base/types.h"

struct kernel_ops {
    const char *name; /* "avx512", "avx2", "portable" */
    /* x [n] = sum_s v[s] * symbols[s][first .. first + n - 1]; n_stream terms. */
    void (*combine)(int n, int n_stream, const tutti_cf32 *v, const tutti_cf32 *const *symbols, size_t first,
                    tutti_cf32 *x);

    /* Double precision, row-major. Leading dimensions and column counts are multiples of KERNEL_PAD; pad with zeros. */
    /* C [n_i][n_j] += sum_f X(i, f) Y [f][n_j], with X(i, f) = X[i * x_i + f * x_f]; upper: only columns of i's block
     * of KERNEL_PAD and right of it (all that a symmetric result needs). */
    void (*gemm)(int n_i, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                 int ld_c, bool upper);
    /* G [n][n] = sum_r w[r] conj(A_k[r]) A_j[r]; A [n][ld] real and imaginary rows; both triangles. */
    void (*gram)(int n, int n_row, int ld, const double *Ar, const double *Ai, const double *w, double *Gr, double *Gi);
    /* C [n_row][ld_c] -= Re((sum_k conj(U_k[i]) V_k[j]) (sum_k A_k[i] conj(Z_k[j]))), columns as in gemm with upper; U,
     * V, A, Z [n][ld]. */
    void (*hadamard)(int n, int n_row, int ld_c, int ld, const double *Ur, const double *Ui, const double *Vr,
                     const double *Vi, const double *Ar, const double *Ai, const double *Zr, const double *Zi,
                     double *C);
    /* Upper Cholesky factor in place, A = U^T U, reading the upper triangle; n <= KERNEL_CHOLESKY_MAX. Returns 0, or k
     * + 1 when pivot k is not > 0. */
    int (*cholesky)(int n, int ld, double *A);

    /* X [n_rhs][ld] <- (U^T U)^-1 X for n_rhs <= 4 right-hand sides. */
    void (*cholesky_solve)(int n, int ld, const double *U, int n_rhs, double *X);
    /* C [n_i][n_j] = sum_r A [n_i][ld] B [n_j][ld] over n_row (a multiple of KERNEL_PAD) columns. */
    void (*dots)(int n_i, int n_j, int n_row, int ld, const double *A, const double *B, double *C);

    /* Single precision, one lane per subband. "[lane]" is the fastest dimension, n_lane entries; complex entries are a
     * vector of real parts followed by one of imaginary parts. Users n, APs n_ap with n_ant antennas, rows = n_ap *
     * n_ant. */
    int n_lane;
    void (*pack)(int n, const float *const *source, float *target);   /* n_lane arrays [n] -> [n][lane] */
    void (*unpack)(int n, const float *source, float *const *target); /* and back */
    /* A = H (H^H H)^-1, H and A [rows][n]; work of 2 n^2 complex lanes. pivot [lane]: smallest Cholesky pivot relative
     * to the diagonal; where it is small (or 0: singular, not finite) A is not to be used. */
    void (*zf)(int rows, int n, const float *H, float *work, float *A, float *pivot);
    void (*power)(int n_ap, int n_ant, int n, const float *A, float *b); /* b [n_ap][n][lane] = ||a_mk||^2 */
    void (*scale)(int rows, int n, const float *amplitude, float *A);    /* amplitude [n][lane] */
    /* Equal and max-min powers eta [n][lane] of zero-forcing beams of unit gain: P [n_ap][lane], E and b
     * [n_ap][n][lane]; total [n_ap][lane] and interference [n][lane] are work; spread [lane] is the relative distance
     * of the bounds on the optimum. Returns the iterations. */
    void (*equal)(int n_ap, int n, const float *b, const float *P, float *eta, float *total);
    int (*maxmin)(int n_ap, int n, const float *E, const float *b, const float *P, int max_iterations, float tolerance,
                  float *eta, float *total, float *interference, float *spread);
    /* After either: SINRs [n][lane] of the powers guard * eta; eta becomes the amplitudes sqrt(guard * eta). */
    void (*finish)(int n_ap, int n, const float *E, float guard, float *total, float *eta, float *sinr);
};

enum { KERNEL_PAD = 8, KERNEL_LANES_MAX = 16, KERNEL_CHOLESKY_MAX = 128 };

const struct kernel_ops *kernel_get(void);
/* The i-th variant this processor can run, widest first; NULL past the last. For tests and benches. */
const struct kernel_ops *kernel_variant(int i);

#endif
