/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a user finds and keeps the time and the carrier of the reference access point (sync.mode air), knowing neither at
 * first: it looks through samples of a whole block for the first two beacons, then measures them in every block.
 * Whole samples of delay move the radio's shift, the fraction is a slope over the subcarriers, the carrier offset is
 * taken off every sample before it is transformed and put on the pilots. Which block it is the user takes from its
 * clock, which must be right to half a block. Measurements are averaged by their SNR over the last blocks. Create
 * allocates; the rest does not, and neither blocks nor locks. Slot thread. */
#ifndef TUTTI_UE_NODE_FOLLOW_H
#define TUTTI_UE_NODE_FOLLOW_H

#include "node/radio.h"
#include "phy/beacon.h"
#include "phy/ofdm.h"

enum {
    FOLLOW_BLOCKS = 16,       /* that the averages remember */
    FOLLOW_HOLD_BLOCKS = 100, /* without a beacon: the reference may come back, then it is searched for */
    FOLLOW_CONFIRM_BLOCKS = 8 /* the same while what a search found has not been heard again: it may have been wrong */
};

struct follow {
    const struct frame *frame;
    bool active;            /* else nothing here is used */
    bool locked, confirmed; /* confirmed: heard where the search said */
    beacon_t *beacon;
    ofdm_t *ofdm; /* of the pilots: windows that do not move */
    double least; /* of a measure in a block that counts as heard */
    int n_missed; /* blocks since the beacon was heard */
    double weight, delay_sum;
    double complex turn_sum; /* over FOLLOW_BLOCKS, by SNR */
    double cfo_hz;           /* of the reference against this radio */
    double fraction_samples; /* by which the reference is later than radio.shift says */
    double snr;              /* of the beacon measured last */
    tutti_cf32 *rotor;       /* [n_symbol_samples] e^{-j 2 pi cfo t}, t from 0 */
    tutti_cf32 *slope;       /* [n_sc] e^{j 2 pi k fraction / n_fft} */
    tutti_cf32 *turned;      /* [n_symbol_samples] work */
    tutti_cf32 *row;         /* [n_sc] work */
};

int follow_create(struct follow *follow, const struct frame *frame, bool active);
void follow_destroy(struct follow *follow); /* half-built allowed */

/* Samples that a search takes: a block and four symbols hold every beacon once with what lies before it. */
int follow_search_samples(const struct frame *frame);
/* Looks through samples [follow_search_samples] from tick `from` on; true: found, and the radio's shift set. */
bool follow_search(struct follow *follow, const tutti_cf32 *samples, tutti_tick from, struct node_radio *radio);
/* This block's first two beacons, samples [2 symbols]; NULL: they are not whole. False: lost, search again. */
bool follow_beacons(struct follow *follow, const tutti_cf32 *samples, struct node_radio *radio);

/* One symbol [n_symbol_samples] that begins `since` samples after its block: carrier and fraction taken off. */
void follow_demodulate(struct follow *follow, ofdm_t *ofdm, const tutti_cf32 *samples, int since, tutti_cf32 *row);
/* One symbol to be sent, [n_symbol_samples], as the reference's clock and carrier would have sent it. */
void follow_turn(struct follow *follow, const tutti_cf32 *samples, int since, tutti_cf32 *out);

#endif
