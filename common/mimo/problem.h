/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One subband's channel packed for the solvers: active APs with power and active users with a channel only, double
 * precision, real and imaginary parts apart. Private to this folder. */
#ifndef TUTTI_MIMO_PROBLEM_H
#define TUTTI_MIMO_PROBLEM_H

#include "mimo/precoder.h"

struct mimo_problem {
    int n_ap, n_ant, n_ue, n_row; /* packed; n_row = n_ap * n_ant */
    int *ap, *ue;                 /* packed -> original index */
    int reason;                   /* MIMO_REASON_ASKED, _NO_USER, _NO_AP or _ZERO_CHANNEL (some users left out) */
    double *Hr, *Hi;              /* [n_row][n_ue] */
    double *E;                    /* [n_ap][n_ue] */
    double *P;                    /* [n_ap] > 0 */
    double *norm;                 /* [n_ue] > 0, Euclidean norm of each user's channel */
};

/* Doubles of storage for the arrays of a shape. */
size_t mimo_problem_size(const struct mimo_shape *shape);
void mimo_problem_place(struct mimo_problem *problem, const struct mimo_shape *shape, double *storage);
void mimo_problem_load(struct mimo_problem *problem, const struct mimo_shape *shape,
                       const struct mimo_channel *channel);
/* Links that do not serve lose their estimates, of which an AP then makes no beams; NULL = all serve. */
void mimo_problem_mask(struct mimo_problem *problem, const struct mimo_shape *shape, const uint8_t *serves);
/* Leaves packed user k out; the users behind it move up. Sets reason to MIMO_REASON_ZERO_CHANNEL. */
void mimo_problem_drop(struct mimo_problem *problem, int k);

/* Takes column k out of a packed [rows][n] matrix, in place. */
void mimo_columns_drop(int rows, int n, int k, double *A);

/* For beams U [n_row][n_ue] of unit power factor: the interference matrix F and noise of maxmin.h (both divided by the
 * user's own gain |h_k^H u_k|^2) and the power B [n_ap][n_ue] of each beam at each AP. Returns 0, or k + 1 when beam k
 * does not reach its user (less than -120 dB of what it could: nothing that single precision can send). */
int mimo_problem_beams(const struct mimo_problem *problem, const double *Ur, const double *Ui, double *F, double *noise,
                       double *B);

/* Write W = U diag(amplitude) as cf32 at the original indices, zero elsewhere. No AP exceeds its budget: all are scaled
 * down by the same factor, which keeps the beams' zeros where they are. */
void mimo_problem_store(const struct mimo_problem *problem, const struct mimo_shape *shape, const double *Ur,
                        const double *Ui, const double *amplitude, tutti_cf32 *W);
/* The same for beams whose power holds on average: each AP by itself is scaled down to MIMO_PEAK_RATIO times its
 * budget. */
void mimo_problem_store_capped(const struct mimo_problem *problem, const struct mimo_shape *shape, const double *Ur,
                               const double *Ui, const double *amplitude, tutti_cf32 *W);

#endif
