/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A replay: the APs play recordings of what they received, and what else a solve depends on comes from the run that is
 * replayed: which APs and users were in it, the scheme, which the clock may have chosen, the powers of the slow clock,
 * which comes in its own time, who was served and sounded, and whose data in the U symbols were combined from where.
 * The APs are brought into step here: each holds one report at most, and the oldest block's go on when every AP has one
 * or is at its end. */
#ifndef TUTTI_CPU_NODE_REPLAY_H
#define TUTTI_CPU_NODE_REPLAY_H

#include "cpu_node/block.h"
#include "node/roster.h"

typedef struct replay replay_t;

struct replay_settings {
    const char *path;            /* of the run's recording */
    const struct config *config; /* of the replay; outlives it */
    int n_ap, n_ue, n_block_samples;
    bool own_scheme; /* the scheme is the configuration's, not the run's */
};

/* Reads what is needed of the recording. Errors: TUTTI_EIO, TUTTI_EFORMAT (not of this network). *replay is to be
 * destroyed even then. */
int replay_create(replay_t **replay, const struct replay_settings *settings);
/* Reads it in a child, with the powers of all blocks, which a damaged file may crash (base/h5file_trial.h). */
int replay_try(const struct replay_settings *settings);
void replay_destroy(replay_t *replay); /* NULL allowed */
/* Tick of block 0 in the run. */
tutti_tick replay_epoch(const replay_t *replay);

/* The run solved this block. */
bool replay_was_solved(const replay_t *replay, uint64_t block);
/* This AP was in it. */
bool replay_used(const replay_t *replay, uint64_t block, int ap);
/* The run's powers of a block into it: reads the file, so not part of the hot path. */
int replay_powers(replay_t *replay, struct cpu_block *block);
/* The users and the scheme of the run into the block; asked: the configuration's. Powers of another scheme go. */
void replay_decide(const replay_t *replay, struct cpu_block *block, int asked);
/* Of the U symbols of a block: aps [n_ap], whose were combined, users [n_ue], whose data were decoded. False: the run
 * has no such row, as it has none of its last blocks. */
bool replay_uplink(const replay_t *replay, uint64_t block, const uint8_t **aps, const uint8_t **users);
/* The next roster that holds in `block` or before; NULL: none. Valid until the next call. */
const struct roster *replay_roster(replay_t *replay, uint64_t block);

/* An AP came, or is at its end. */
void replay_set_alive(replay_t *replay, int ap, bool alive);
/* Its report of a block, copied; it sends the next one only when this one is answered. TUTTI_ENOMEM. */
int replay_hold(replay_t *replay, int ap, uint64_t block, const uint8_t *data, size_t n_bytes);
/* Every AP of the run has come, and each has a report or is at its end: true, with the oldest block. */
bool replay_is_ready(const replay_t *replay, uint64_t *block);
/* Gives an AP's report of this block back, once; NULL: it has none. Valid until its next replay_hold. */
const uint8_t *replay_take(replay_t *replay, int ap, uint64_t block, size_t *n_bytes);
/* All have come and are at their end. */
bool replay_is_over(const replay_t *replay);

#endif
