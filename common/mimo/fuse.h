/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fusion of one user's locally combined streams at the central node. AP l hands in stilde_lk = v_lk^H y_l with g_lki =
 * v_lk^H ghat_li for all users i and f_lk = z_l ||v_lk||^2; vectors below run over the APs.
 *     instant: a_k = (sum_i g_ki g_ki^H + diag f_k)^-1 g_kk
 *     LSFD (5.30, 5.41) [Demir 2021]: b = E g_kk, Q = sum_i E g_ki g_ki^H - b b^H + diag E f, a = Q^-1 b
 *     s_hat = a^H stilde / a^H g_kk
 * Instant fusion knows the block's own gains and is several dB better; LSFD is for comparison with the literature. Cost
 * K L^2 + L^3 / 3 a user and subband. Create allocates, nothing else does. */
#ifndef TUTTI_MIMO_FUSE_H
#define TUTTI_MIMO_FUSE_H

#include "base/types.h"

typedef struct fuse fuse_t;

int fuse_create(fuse_t **fuse, int n_ap, int n_ue); /* 0, TUTTI_ENOMEM */
void fuse_destroy(fuse_t *fuse);                    /* NULL allowed */

/* g [n_ap][n_ue]: column i are the gains of user i in user k's streams; f [n_ap]. APs with f = 0 have no stream. Writes
 * a [n_ap] (0 for such APs); TUTTI_ENUMERIC when nobody hears the user: a is 0. */
int fuse_instant(fuse_t *fuse, int k, const double complex *g, const double *f, double complex *a);
/* The SINR of any weights, conditional on g and f: |a^H g_k|^2 / (sum_{i != k} |a^H g_i|^2 + sum_l |a_l|^2 f_l). */
double fuse_sinr(const fuse_t *fuse, int k, const double complex *g, const double *f, const double complex *a);

/* LSFD from moments: b [n_ap], Q [n_ap][n_ap] Hermitian. sinr = |a^H b|^2 / a^H Q a, of the a that is written. */
int fuse_lsfd(fuse_t *fuse, const double complex *b, const double complex *Q, double complex *a, double *sinr);
/* Moments of MR over independent fading in closed form (Corollary 5.6): beta, gamma [n_ap][n_ue], pilot [n_ue]. */
void fuse_mr_moments(int n_ap, int n_ue, int n_ant, int k, const double *beta, const double *gamma, const int *pilot,
                     double complex *b, double complex *Q);

#endif
