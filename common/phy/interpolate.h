/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the centres of subbands: what is known there once per subband (precoders, channels, gains) becomes one value
 * per subcarrier. A delay common to all values turns them by a slope over frequency; it is taken off first and put back
 * at every subcarrier, so that only the spread of delays about it has to be bridged, in one of these ways:
 * - precoders: by the least-squares interpolator of responses whose power falls exponentially with delay, both ways, to
 *   1/e within n_cp / 6 samples (correlation 1 / (1 + (2 pi delay frequency)^2); Cressie, "Statistics for Spatial
 *   Data", 1993, ordinary kriging), from the INTERPOLATE_TAPS nearest centres. Precoders invert channels, so their
 *   delays reach further than the channels' do; against straight lines and cubics this wins for every spread and width
 *   tried (docs/frame.md).
 * - channels: the same from means over subbands, which estimates are (Cressie, block kriging), for power spread evenly
 *   over delays as far about the common one as half the prefix, or as means so far apart can tell: 0.28 n_fft over the
 *   width of a subband.
 * - spread channels: the same (simple kriging) for those known to be spread over all or a part of these delays. What it
 *   misses is nearly orthogonal to what it gives, so powers of products may be added up; weights need not add up to 1.
 * - flat: every subcarrier has its own subband's value.
 * Otherwise weights add up to 1. Create allocates; the rest does not. One table may be shared by threads. */
#ifndef TUTTI_PHY_INTERPOLATE_H
#define TUTTI_PHY_INTERPOLATE_H

#include "phy/frame.h"

enum { INTERPOLATE_TAPS = 6 };
enum interpolate_kind { INTERPOLATE_FLAT, INTERPOLATE_PRECODERS, INTERPOLATE_CHANNELS, INTERPOLATE_SPREAD };

struct interpolate {
    int n_sc, n_sb, sc_per_sb, n_tap, fft_size;
    int *first;          /* [n_sc] first centre that counts */
    float *weight;       /* [n_sc][n_tap] */
    float *own;          /* [n_sc] weight of the subcarrier's own subband */
    double *place;       /* [n_sc] of subcarriers, in spacings from the carrier */
    double *centre;      /* [n_sb] the same of subbands */
    double reach;        /* delays of channels, samples about the common one */
    double noise_factor; /* mean over subcarriers of the sum of squared weights: what is left of independent errors */
    double own_factor;   /* mean of `own` */
};

int interpolate_create(struct interpolate **table, const struct frame *frame, enum interpolate_kind kind);
/* INTERPOLATE_SPREAD over `part` of the delays, 0 < part <= 1. */
int interpolate_create_spread(struct interpolate **table, const struct frame *frame, double part);
void interpolate_destroy(struct interpolate *table); /* NULL and half-built allowed */

/* Slopes of a delay: at subcarriers e^{-j 2 pi k delay / n_fft} [n_sc], at centres [n_sb], either may be NULL. */
void interpolate_slope(const struct interpolate *table, double delay_samples, tutti_cf32 *subcarriers,
                       tutti_cf32 *centres);
/* out [n_sc] from v [n_sb], its entries `stride` apart, with slopes as above (both NULL: none). work [n_sb]. Values
 * that follow the slopes themselves, as channels of that delay do. */
void interpolate_row(const struct interpolate *table, const tutti_cf32 *v, size_t stride, const tutti_cf32 *subcarriers,
                     const tutti_cf32 *centres, tutti_cf32 *work, tutti_cf32 *out);

#endif
