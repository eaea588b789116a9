/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Artificial noise at one AP in the null space of its strong users ([Yu 2026], section II): v = B z / ||B z|| with z
 * isotropic and fresh, h_k^H v = 0 for every strong user k. The basis of the strong users' span is computed once per
 * block and subband, a draw is then a projection. No allocation, no lock. */
#ifndef TUTTI_MIMO_NOISE_H
#define TUTTI_MIMO_NOISE_H

#include "base/types.h"
#include "mimo/splitmix.h"

/* Orthonormal basis Q [rank][n_ant] of the strong users' estimates, H_hat [n_ant][n_ue] (modified Gram-Schmidt, twice;
 * nearly dependent estimates count once). Returns the rank, at most n_ant. Cost 2 rank^2 n_ant complex multiply-adds.
 */
int noise_basis(int n_ant, int n_ue, const tutti_cf32 *H_hat, const uint8_t *strong, tutti_cf32 *Q);
/* v [n_ant] of norm `amplitude` outside the span of Q; zero when the span is everything. Cost 2 rank n_ant. */
void noise_draw(int n_ant, int rank, const tutti_cf32 *Q, float amplitude, struct splitmix *random, tutti_cf32 *v);
/* n independent CN(0,1) symbols. */
void noise_symbols(int n, struct splitmix *random, tutti_cf32 *symbols);

#endif
