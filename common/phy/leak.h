/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users' oscillator offsets make of orthogonal pilots, and its reverse. User j's pilot comes as phi_j[t]
 * e^{i w_j (s_t - s)}, s_t the place of pilot symbol t and s their middle, so that despread for user k it leaves
 *     M_kj = sum_t conj(phi_k[t]) phi_j[t] e^{i w_j (s_t - s)}
 * of its channel: 1e-3 of its power for 100 Hz and symbols of 71 us, which limits a zero-forcing combiner to some 26
 * dB. Known offsets are undone by X = M^-1 on what was despread (least squares with the pilots as they came). Pure
 * function; cost n^2 tau + n^3. */
#ifndef TUTTI_PHY_LEAK_H
#define TUTTI_PHY_LEAK_H

#include "phy/frame.h"

/* phi [n_pilot][n_pilot] of pilot_sequences; pilot, rad_per_symbol [n] of n users. X [n][n] row-major. False, and X is
 * not to be used: two users have one pilot, or the pilots as they came cannot be told apart. */
bool leak_undo(const struct frame *frame, const tutti_cf32 *phi, int n, const int *pilot, const double *rad_per_symbol,
               double complex *X);

#endif
