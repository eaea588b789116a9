/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Uplink data of up to UPLINK_WINDOW blocks, put together from what the APs send: a block is due when every AP of its
 * solve has sent, or when the window moves on; then it makes do with those that have. Plain data with sizes from the
 * configuration, no threads, no time; opening and storing do not allocate. */
#ifndef TUTTI_CPU_NODE_UPLINK_WINDOW_H
#define TUTTI_CPU_NODE_UPLINK_WINDOW_H

#include "base/config.h"
#include "fronthaul/wire.h"
#include "phy/frame.h"

enum { UPLINK_WINDOW = 4 };

struct uplink_shape {
    const struct frame *frame;
    int n_ap, n_ant, n_ue;
    int n_cpu;            /* of several central nodes how many; 0: alone */
    int n_column;         /* streams of an AP: its antennas, or one per user */
    bool local, per_user; /* combined at the APs; a stream per user */
};
struct uplink_shape uplink_shape_of(const struct config *config, const struct frame *frame);
size_t uplink_n_values(const struct uplink_shape *shape);      /* of one AP */
uint32_t uplink_n_statistic(const struct uplink_shape *shape); /* of one AP: local, f [n_sb][n_column] and then g
                                                                  [n_sb][n_column][n_ue] complex; else none */

struct uplink_block {
    uint64_t number;
    bool open;
    uint8_t *expected, *got; /* [n_ap] in the solve; has sent */
    uint8_t *user_here;      /* [n_ue] and sends data in this block */
    int32_t *pilot;          /* [n_ue] that it sent, -1 none */
    float *beta;             /* [n_ap][n_ue] large-scale gains, as in the estimates */
    float *error_variance;   /* [n_ap][n_ue], likewise */
    tutti_cf32 *H_hat;       /* [n_sb][n_ap][n_ant][n_ue]; central only */
    tutti_cf32 *values;      /* [n_ap][n_ul][n_sb][n_column][sc_per_sb] */
    float *statistic;        /* [n_ap][n_statistic] */
    int64_t *bytes;          /* [n_ap] of the message */
    /* of several central nodes */
    int32_t *home;            /* [n_ue] */
    uint8_t *helps, *partner; /* [n_ue] this one helps; [n_cpu] is there */
    uint64_t tick;            /* first sample */
    uint32_t session;
};

struct uplink_window {
    struct uplink_shape shape;
    struct uplink_block place[UPLINK_WINDOW]; /* block b in place b mod UPLINK_WINDOW */
    bool started;
    uint64_t newest;    /* the last block opened */
    uint64_t n_lost;    /* AP-blocks of a solve without data when their block was due */
    uint64_t n_late;    /* messages of blocks that are not open (any more) */
    uint64_t n_refused; /* messages that are not what they should be */
};

int uplink_window_create(struct uplink_window *window, const struct uplink_shape *shape);
void uplink_window_destroy(struct uplink_window *window); /* half-built allowed */
/* The block `number` is under way from here on: those that fall out of the window are due at once. Until none is due
 * its place is not free; then uplink_window_open. A number not after the newest one: time began anew, all that was open
 * is given up. */
void uplink_window_move(struct uplink_window *window, uint64_t number);
/* The newest block's place, for the caller to fill expected, user_here and the estimates in. */
struct uplink_block *uplink_window_open(struct uplink_window *window);
/* One AP's message, of this type and of this session; enum wire_error. */
int uplink_window_store(struct uplink_window *window, int ap, const uint8_t *data, size_t n_bytes);
/* The oldest open block if it is due, else NULL. The caller closes it. */
struct uplink_block *uplink_window_due(struct uplink_window *window);
void uplink_window_close(struct uplink_window *window, struct uplink_block *block);

#endif
