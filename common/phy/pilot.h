/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pilot sequences. phi_p[t] = exp(-j 2 pi p t / tau) / sqrt(tau) (DFT, orthonormal), times a QPSK scrambling sequence
 * per subcarrier common to all (a rounded chirp: flat time envelope). Used uplink (tau = frame P symbols, user's pilot
 * index p) and downlink (tau = dl pilot symbols, p = stream index). */
#ifndef TUTTI_PHY_PILOT_H
#define TUTTI_PHY_PILOT_H

#include "phy/frame.h"

/* phi [tau][tau], pilot index slowest: phi[p * tau + t]. */
void pilot_sequences(int tau, tutti_cf32 *phi);
/* Unit-modulus scrambling of each used subcarrier, [n_sc]; fixed by the subcarrier index and n_sc. */
void pilot_scrambling(int n_sc, tutti_cf32 *scrambling);
/* What user with pilot p sends in pilot symbol t: sqrt(tau) phi_p[t] scrambling[i], [n_sc], unit power per subcarrier.
 */
void pilot_symbol(int tau, int p, int t, int n_sc, const tutti_cf32 *phi, const tutti_cf32 *scrambling,
                  tutti_cf32 *out);
/* Pilot index of each user, [n_ue], from pilots.assignment or its default. */
void pilot_assignment(const struct config *config, const struct frame *frame, int *pilot_of_user);
/* The beacon: a fixed Zadoff-Chu sequence over the used subcarriers, [n_sc], unit power. */
void pilot_beacon(int n_sc, tutti_cf32 *out);

#endif
