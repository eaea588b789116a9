/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pilots that several users share (cluster.enabled), as one AP estimates them: per pilot, whoever sends it; and every
 * user's large-scale gain, in the blocks in which it is alone on its pilot. To phy/estimate.h these are tracks that
 * take turns: one for everybody on a pilot together, one for each user alone. The slot thread's; no allocation after
 * create. */
#ifndef TUTTI_AP_NODE_SHARED_H
#define TUTTI_AP_NODE_SHARED_H

#include "fronthaul/wire.h"
#include "node/roster.h"
#include "phy/estimate.h"

struct shared {
    int n_pilot, n_ue, n_row; /* n_pilot 0: nobody shares; n_row: subbands times antennas */
    int n_track;              /* pilots, then users */
    int *pilot_of_track;      /* [n_track] of this block, -1 = not sent */
    int *joined;              /* [n_ue] the pilot whose track stands for it, -1 = none yet */
    int *member;              /* [n_ue] work */
    tutti_cf32 *H;            /* [n_row][n_track] */
    float *beta, *error;      /* [n_track] */
    float *gains;             /* [2][n_ue] gains and their variances, downlink units, as they are told */
    bool news;                /* a user that shares its pilot was alone in this block */
    /* for beams of this AP's own */
    tutti_cf32 *user_H;            /* [n_row][n_ue] */
    float *user_beta, *user_error; /* [n_ue] */
    float *factor;                 /* [n_ue] */
};

int shared_create(struct shared *shared, const struct config *config, int n_sb);
void shared_destroy(struct shared *shared); /* half-built allowed */
/* Before the estimates of a block: who sends what; sequence [n_ue]. */
void shared_turns(struct shared *shared, estimate_t *estimate, const int *sequence, const struct roster *roster);
/* After it: H [n_row][n_pilot], beta and error_variance [n_pilot] from the tracks, and the users' gains. */
void shared_fold(struct shared *shared, const estimate_t *estimate, tutti_cf32 *H, float *beta, float *error_variance);
/* The users' estimates from what was reported of the pilots. */
void shared_split(struct shared *shared, const int *sequence, const tutti_cf32 *H, const float *beta,
                  const float *error_variance);
/* The message with the gains: bytes it takes, and packed; header: of the block's estimates. */
size_t shared_message_bytes(const struct shared *shared);
size_t shared_tell(struct shared *shared, const struct wire_header *header, uint8_t *out, size_t room);

#endif
