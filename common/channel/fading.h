/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small-scale fading of one link between two radios: the coefficients of every antenna pair and tap, mean power of the
 * tap sum 1, as a function of (seed, link, block, symbol) alone. Models: none (a fixed random phase per antenna pair),
 * Rayleigh, Rician (line of sight between half-wavelength uniform linear arrays at a random angle, plus scattering),
 * tapped delay line (each tap Rayleigh). Variation: an independent draw in each block, or Jakes with autocorrelation
 * J0(2 pi f_d tau), constant within an OFDM symbol. A Jakes coefficient is the sum of 64 plane waves of equal power:
 * its envelope is Rayleigh but for the far tail (E|g|^4 = 1.984 for 2; |g|^2 > 5 comes 7 % less often than exp(-5),
 * |g|^2 > 8 a sixth), its mean power over time exact. Angles of lines of sight are random, not those of a geometry. No
 * allocation after create. */
#ifndef TUTTI_CHANNEL_FADING_H
#define TUTTI_CHANNEL_FADING_H

#include "base/config.h"
#include "base/types.h"

typedef struct fading fading_t;

struct fading_settings {
    const struct config_fading_model *model; /* read at create only */
    uint64_t seed, link;                     /* which numbers; the same link in another network fades equally */
    int n_first, n_second;                   /* antennas at the two ends */
    double doppler_turns_per_sample;         /* Jakes: f_d / sample rate */
    int n_symbol_samples, n_block_samples;   /* Jakes: how time steps */
};

int fading_create(fading_t **fading, const struct fading_settings *settings); /* TUTTI_ENOMEM */
void fading_destroy(fading_t *fading);                                        /* NULL allowed */

int fading_n_tap(const struct config_fading_model *model);
int fading_tap_delay(const struct config_fading_model *model, int tap); /* samples */

/* g [n_tap][n_first][n_second] in OFDM symbol `symbol` of block `block` (without Jakes the symbol does not matter).
 * Cheap when block and symbol go forward one by one. */
void fading_execute(fading_t *fading, uint64_t block, int symbol, tutti_cf32 *g);

#endif
