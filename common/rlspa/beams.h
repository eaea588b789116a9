/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zero-forcing on the sparse estimate, and what power allocation needs to know of it. The received signal is
 * y = sqrt(rho) G^T W diag(p) x + noise (plain transpose; [Mashdour 2026], eqs. (2), (5)). M antennas, n users;
 * matrices row-major. No allocation, no lock. */
#ifndef TUTTI_RLSPA_BEAMS_H
#define TUTTI_RLSPA_BEAMS_H

#include "rlspa/split.h"

/* Doubles of work. */
size_t beams_work(int n_antennas, int n);
/* W [M][n] = pinv(Ga^T), singular values below 1e-5 of the largest counting as 0, columns of norm 1 (zero columns stay
 * zero). About 16 M n^2 flops; with rank loss 100 times as much. Returns the rank as far as it was looked at: n, or
 * less. */
int beams_zf(int n_antennas, int n, const struct split *Ga, double *work, struct split *W);
/* B [n][n] = G^T W: what users receive of each other's streams. 8 M n^2 flops. */
void beams_effective(int n_antennas, int n, const struct split *G, const struct split *W, struct split *B);
/* B = H^H W, for channels whose signal is h^H x: H = conj(G). */
void beams_received(int n_antennas, int n, const struct split *H, const struct split *W, struct split *B);
/* w2 [n] = ||w_k||^2. */
void beams_norms(int n_antennas, int n, const struct split *W, double *w2);
/* F [n][n]: F_ki = sum_l error_lk ||w_li||^2, stream i as user k receives it through the errors of the estimates,
 * error [n_ap][n] their variance. */
void beams_error_gain(int n_ap, int n_ant, int n, const double *error, const struct split *W, double *F);
/* power [n]: (W^H Gamma W)_kk with Gamma = diag of gamma [n_ap], the error variances of all users together. */
void beams_error_power(int n_ap, int n_ant, int n, const double *gamma, const struct split *W, double *power);

#endif
