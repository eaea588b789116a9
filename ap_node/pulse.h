/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether an AP with a shared clock (sync.mode shared) is where the reference says: in frames that begin with B3 it
 * measures by how much the reference's beacon comes later than it should, and how far the carrier is off, and tells.
 * Nothing is corrected by it. The offset is a mean over blocks of phy/beacon.h's searches; the carrier's coarse figure
 * comes from the turn between the two symbols, its fine one from the turn of the same symbols from block to block,
 * whose ambiguity (a turn per block) the coarse one resolves. The slot thread's; no allocation after create. Cost: a
 * search of five symbols a block. */
#ifndef TUTTI_AP_NODE_PULSE_H
#define TUTTI_AP_NODE_PULSE_H

#include "ap_node/slave.h"

struct pulse {
    const struct frame *frame;
    bool checks; /* there is something to hear, and this AP is not the reference */
    beacon_t *search;
    tutti_cf32 *strip, *before; /* [n_strip] the beacon's surroundings in this block and the last one */
    int n_strip, known_delay;   /* the latter as in slave.h */
    int antenna, n_ant;
    uint64_t before_block;
    int before_body; /* in `before`; negative: nothing was found there */
    int n_mean;      /* looks in the means, at most a limit */
    int n_missing;   /* in a row */
    double late_samples, coarse_hz, snr;
    double complex turn; /* of the beacon from block to block */
    int n_turn;
    uint64_t heard, missed;
    ring_t *notes; /* of struct slave_note; the slave's */
};

/* notes: borrowed. */
int pulse_create(struct pulse *pulse, const struct config *config, const struct frame *frame, int id, ring_t *notes);
void pulse_destroy(struct pulse *pulse); /* half-built allowed */

/* A block has been received: looks, and tells now and then. */
void pulse_hear(struct pulse *pulse, const struct node_span *span, const struct node_radio *radio, uint64_t block);

/* What is known now: NaN if it has not been heard often enough, or not lately. */
double pulse_late_samples(const struct pulse *pulse); /* the reference's beacon against this AP's time */
double pulse_cfo_hz(const struct pulse *pulse);       /* of the reference against this AP */

#endif
