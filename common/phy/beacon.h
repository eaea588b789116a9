/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds two equal beacon symbols in a row (frame schedules that begin with B2, B3) in samples of unknown time and
 * carrier: the body of the symbol is correlated with them, each of the two symbols normalised by its own energy (one
 * half alone must not pass for both), so that the measure is 1 for a clean beacon and does not depend on the level. The
 * carrier offset follows from the turn between the two symbols, unambiguous to half a symbol rate; the delay is
 * measured after the samples have been turned back, since a Zadoff-Chu sequence takes a carrier offset for a delay.
 * Where a third symbol follows, from other senders, two neighbours look as good: the first of the run is meant.
 * Create allocates, search does not; neither blocks. One handle per thread. Cost of a search: about 40 floating-point
 * operations per sample and log2 of the FFT size. */
#ifndef TUTTI_PHY_BEACON_H
#define TUTTI_PHY_BEACON_H

#include "phy/frame.h"

typedef struct beacon beacon_t;

/* room: the most samples one search looks at. TUTTI_EINVAL, TUTTI_ENOMEM. */
int beacon_create(beacon_t **beacon, const struct frame *frame, int room);
void beacon_destroy(beacon_t *beacon);

struct beacon_found {
    int body;             /* index of the first symbol's body (its prefix lies before) */
    double measure;       /* 0..1 */
    double cfo_hz;        /* of the signal against the receiver */
    double delay_samples; /* what the symbol comes later than `body` says, a fraction */
    double snr;           /* per subcarrier, linear, from what the two symbols differ by */
};
/* The best place in samples [n], n <= room. False: nothing reaches the threshold, and found->measure is the best seen.
 */
bool beacon_search(beacon_t *beacon, const tutti_cf32 *samples, int n, double threshold, struct beacon_found *found);

/* The same where the place is known: samples [2 symbols] begin `early` (0 .. n_cp) before the first symbol's body. The
 * delay, within 2 samples, is measured with cfo_hz taken off, and measure is the share of the subcarriers' energy that
 * is the symbol's. Cost: four transforms and 66 correlations of n_sc. */
void beacon_measure(beacon_t *beacon, const tutti_cf32 *samples, int early, double cfo_hz, struct beacon_found *found);

/* The threshold that noise alone passes with this probability at one place: (1 + T) e^-T = p, T = 2 fft_size eta. */
double beacon_threshold(const struct frame *frame, double p_false);

/* Cramer-Rao bounds of one antenna at an SNR per subcarrier, standard deviations. */
double beacon_bound_cfo_hz(const struct frame *frame, double snr);
double beacon_bound_delay_samples(const struct frame *frame, double snr);

#endif
