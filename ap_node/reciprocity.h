/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The calibration in force at this AP: what turns its estimates of the uplink into those of the downlink. Tables come
 * from the central node over the link thread, each with the block from which on it counts; the slot thread takes them
 * over at a block's beginning. No lock, no allocation after create. */
#ifndef TUTTI_AP_NODE_RECIPROCITY_H
#define TUTTI_AP_NODE_RECIPROCITY_H

#include "ap_node/capture.h"
#include "base/ring.h"
#include "calib/table.h"

/* One AP's part of a calibration on its way, in a ring slot. */
struct reciprocity_part {
    uint64_t from_block;
    uint32_t run; /* number of the calibration */
    double delay_samples, error_variance;
    int shift_samples; /* to act so much earlier than this AP's clock says */
    tutti_cf32 c[];    /* [n_sb][n_ant] */
};

struct reciprocity {
    struct calib_table table; /* of one AP */
    ring_t *parts;            /* link -> slot */
    uint32_t run;             /* in force; 0: none */
    int shift_samples;
    int n_ue, n_sb, n_ant;
};

int reciprocity_create(struct reciprocity *r, int n_sb, int n_ant, int n_ue);
void reciprocity_destroy(struct reciprocity *r); /* half-built allowed */
/* Link thread: a slot to fill and push; NULL while the slot thread has not taken the last ones. */
struct reciprocity_part *reciprocity_slot(struct reciprocity *r);
void reciprocity_push(struct reciprocity *r);
/* Slot thread: takes over what counts from this block on. */
void reciprocity_follow(struct reciprocity *r, uint64_t block);
/* Turns what was captured into the downlink's: estimates, gains, error variances, delay. */
void reciprocity_apply(const struct reciprocity *r, struct capture *capture);

#endif
