/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's phase followed through the data symbols of a block, decision-directed: per symbol, phase and frequency are
 * predicted, the symbol is turned back, decided, and the angle that remains between decisions and symbol corrects both
 * (alpha 0.9, beta 0.35); the symbol is then turned by what is known after it. The phase begins at that of the downlink
 * pilots. Residual variance 1 / (2 n_sc SINR). Plain data; no allocation. */
#ifndef TUTTI_PHY_PHASE_TRACK_H
#define TUTTI_PHY_PHASE_TRACK_H

#include "base/types.h"

struct phase_track {
    double phase_rad;     /* of the symbol looked at last */
    double frequency_rad; /* per symbol */
    int axis_bits;        /* of the square constellation: 1 to 4 */
    double unit;          /* half the distance of two levels, unit mean power */
};

/* bits per symbol 2, 4, 6, 8; where the last block ended in frequency, or 0. */
void phase_track_start(struct phase_track *track, int bits_per_symbol, double frequency_rad);
/* Looks at one equalised symbol y [n_sc], `since` symbols (1 as a rule) after the last one, and returns the phase that
 * is to be taken off it, which is track->phase_rad. weight [n_sc] (NULL: all 1) says how much each subcarrier counts,
 * such as its SINR. */
double phase_track_look(struct phase_track *track, int n_sc, const float *weight, double since, const tutti_cf32 *y);
/* Takes it off. */
void phase_track_turn(int n_sc, double phase_rad, tutti_cf32 *y);

#endif
