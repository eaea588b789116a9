/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How wide subbands may be for delays that are spread inside them, and what narrower ones cost on the fronthaul. Not
 * for the block path: width_error allocates. */
#ifndef TUTTI_MIMO_WIDTH_H
#define TUTTI_MIMO_WIDTH_H

#include "base/config.h"

/* The spread alone is to leave this much: half a decibel of a SINR of 30 dB. */
#define WIDTH_ENOUGH_DB 40.0

/* Taps of powers[] (any sum) at delays_samples[]. */
struct width_taps {
    int n;
    const double *powers, *delays_samples;
};

/* Error over signal of users between subbands' centres, zero-forcing, equal gains, by the network's antennas and users:
 * expect.h's own + K leak, where subbands are flat; where precoders are interpolated the same with what interpolation
 * (phy/interpolate.h) misses of each tap, their mean delay taken off. Within 3 dB of whole networks
 * (docs/expected.md). Negative: a code of base/error.h. */
double width_error(const struct config *config, int sc_per_sb, const struct width_taps *taps);
/* The widest subbands that divide the band and leave WIDTH_ENOUGH_DB; `left` [1] error over signal with them. 0 and an
 * error set: out of memory. */
int width_asked(const struct config *config, const struct width_taps *taps, double *left);
/* The widest subbands that lose lost_db or less, from what those of now, sc_per_sb, lose: flat subbands lose as the
 * square of their width, interpolated ones at least as its fifth power. 1 at least. */
int width_narrower(int n_sc, int sc_per_sb, bool smooth, double loses_db, double lost_db);
/* Coefficients of an access point and a block, both ways, scales of rows left out. */
double width_bytes(const struct config *config, int sc_per_sb);

#endif
