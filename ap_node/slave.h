/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An AP without a clock of its own (sync.mode air, not the reference): finds the reference's beacon, sets its time by
 * it, follows its oscillator and clock (phy/follower.h), and turns what it receives and sends so that both look driven
 * by the reference. The slot thread's; no allocation after create. At the reference, and with a shared clock, it does
 * nothing. */
#ifndef TUTTI_AP_NODE_SLAVE_H
#define TUTTI_AP_NODE_SLAVE_H

#include "base/ring.h"
#include "fronthaul/wire.h"
#include "node/span.h"
#include "phy/beacon.h"
#include "phy/follower.h"
#include "phy/ofdm.h"
#include "phy/rotor.h"

/* How it stands, for the link thread to tell. NaN, infinite: not known. */
struct slave_note {
    uint64_t block;
    double cfo_hz;        /* of the reference against this AP */
    double error_rad;     /* of the effective channel; infinite: not known */
    double snr_db;        /* of the beacon, per antenna and subcarrier */
    double delay_samples; /* by which the reference comes later than when it was locked first */
    double drift_ppm;     /* of the sample clocks */
    double misfit;        /* innovations over what the loop expects */
    uint64_t heard, missed, slips;
    int moved_samples; /* this AP's time, to meet the beacon */
};

struct slave {
    const struct frame *frame;
    bool follows;
    enum wire_sync state; /* of the block under way */
    struct follower follower;
    beacon_t *search;
    tutti_cf32 *strip; /* [n_block_samples + 6 symbols] what is searched: a tail of the last span, then this one */
    tutti_tick strip_end;
    int n_strip, search_antenna;
    uint64_t n_searched; /* spans */
    uint64_t block;      /* of the follower's theta */
    bool begun;          /* there is one */
    int shift;           /* of the radio when the beacon was found: its windows stay while calibration moves others */
    int known_delay;     /* from AP to AP, that of the emulated air's clocks: this AP's time is earlier by that */
    int moved;           /* by which the follower's window had moved when it was last taken over */
    int moved_samples;
    tutti_tick zero; /* tick of symbol 0 of that block by the beacon's windows, clock's own drift not followed */
    ofdm_t *ofdm;
    struct rotor rotor;
    tutti_cf32 *samples;   /* [n_ant][n_symbol_samples] of a beacon symbol */
    tutti_cf32 **antennas; /* [n_ant] pointers */
    tutti_cf32 *Y;         /* [2][n_ant][n_sc] */
    tutti_cf32 *slope;     /* [n_sc] of the part of a sample by which the reference is later */
    ring_t *notes;         /* of struct slave_note, slot -> link */
    int n_ant;
};

int slave_create(struct slave *slave, const struct config *config, const struct frame *frame, int id);
void slave_destroy(struct slave *slave); /* half-built allowed */

/* The whole block is to be looked at, for the beacon may be anywhere. */
bool slave_searches(const struct slave *slave);
/* Its estimates count, and it may send. */
static inline bool slave_in_step(const struct slave *slave)
{
    return !slave->follows || slave->state == WIRE_SYNC_LOCKED || slave->state == WIRE_SYNC_HOLD;
}
/* A block has been received: looks at its beacon, then turns back the samples of symbols with one of these letters (C:
 * and of those beside them) in the span. Returns by how many samples this AP's time must move to later ticks. */
int slave_hear(struct slave *slave, struct node_span *span, const struct node_radio *radio, uint64_t block,
               const char *letters);
/* Drift of the clocks in whole samples that slave_hear has told of, since calibration's shifts are counted. */
static inline int slave_moved(const struct slave *slave)
{
    return slave->moved;
}
/* Whole samples that slave_hear tells of leave no trace in the delays of what slave_delay has been put to. */
static inline bool slave_is_anchored(const struct slave *slave)
{
    return slave->follows && slave->follower.has_anchor;
}
/* Samples to be sent from `tick` on, x [n_ant] pointers to [n], n at most a symbol. NULL: does
 * nothing. */
void slave_turn(struct slave *slave, tutti_tick tick, int n_ant, int n, tutti_cf32 *const *x);
/* What is received (back) or sent, x [n_row][n_sc] subcarriers: the part of a sample by which this AP's time is early
 * against the reference after slave_hear's whole samples. NULL: does nothing. */
void slave_delay(const struct slave *slave, bool back, int n_row, tutti_cf32 *x);

#endif
