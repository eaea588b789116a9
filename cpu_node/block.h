/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One coherence block as the CPU node has it, from the first estimate to the pushed precoders: plain data with sizes
 * from the configuration. Blocks are allocated at start and handed from gather to solve, push and the recorder by
 * pointer; whoever holds the pointer owns it. */
#ifndef TUTTI_CPU_NODE_BLOCK_H
#define TUTTI_CPU_NODE_BLOCK_H

#include "base/types.h"
#include "cpu_node/sensing.h"
#include "mimo/parts.h"
#include "mimo/stream_set.h"

struct block_shape {
    int n_sb, n_ap, n_ant, n_ue, n_extra; /* n_extra: streams beside the users' */
    int n_zone;                           /* of them of sensing zones */
    int n_pilot;                          /* that users share; 0: everybody has its own (no clusters) */
    bool parts;                           /* there are other central nodes */
};

/* With several central nodes: this one's part of the downlink (common/mimo/parts.h). Before parts_live_learn what users
 * would hear of it without weights, then what they hear of what is sent. */
struct block_part {
    double complex *weight; /* [n_ue] of this node's part of each user's; 0: the user gets nothing from here */
    double complex *gain;   /* [n_sb][n_ue][n_ue] */
    double *error;          /* [n_sb][n_ue][n_ue] */
    double *power;          /* [n_sb][n_ue] */
    double *factor;         /* [n_sb] of parts_apply */
    tutti_cf32 *sent;       /* [n_sb][n_ue][n_ue] gain, and */
    tutti_cf32 *sent_by;    /* [n_ue] weight, as they are recorded */
};

struct cpu_block {
    struct block_shape shape;
    uint64_t number;
    tutti_tick tick; /* of its first sample */
    uint32_t session;
    /* what came, per AP [n_ap] */
    int n_gathered;
    uint64_t first_arrival_ns; /* monotonic; when it was due, if that AP is ahead of time */
    uint8_t *gathered;
    uint8_t *excused; /* lock-step: its estimates came and were dropped on purpose */
    int64_t *faults;  /* mask of 1 << enum cpu_fault */
    float *noise_power, *delay_samples;
    uint64_t *capture_end_ns, *csi_sent_ns, *csi_received_ns, *precoder_sent_ns; /* wall clock */
    uint8_t *sync_state;          /* of enum wire_sync, SYNC_WATCH_AWAY */
    double *sync_figures;         /* [SYNC_WATCH_FIGURES][n_ap] */
    uint32_t (*radio_events)[5];  /* U O D S L since the AP's start */
    tutti_cf32 *H_hat;            /* [n_sb][n_ap][n_ant][n_ue] */
    float *error_variance, *beta; /* [n_ap][n_ue] */
    tutti_cf32 *P;                /* [n_sb][n_ap][n_ant][n_pilot] of shared pilots; NULL without */
    float *factor;                /* [n_ap][n_ue] what a user's estimate is of its pilot's; NULL without */
    /* the solve */
    uint8_t *user_alive;  /* [n_ue] noise is kept away from these */
    int32_t *place;       /* [n_ue] of the schedule, -1 = waits; user k's is k without one */
    int32_t *seat;        /* [n_ue] place in the roster of this block's pilots, -1 = waits */
    int32_t *sequence;    /* [n_ue] the pilot sent in this block, -1 = none */
    uint8_t *serves;      /* [n_ap][n_ue] clusters of the downlink; NULL without */
    int32_t *pilot;       /* [n_ue] the user's pilot then; NULL without */
    uint8_t *written;     /* [n_ap][n_ue] links that streams->W may hold something of; NULL without */
    bool written_known;   /* it is true */
    uint64_t roster_from; /* first block of that roster */
    int32_t *age_blocks;  /* [n_ue] since its pilot was heard last; 0 = in this block, -1 = never */
    uint8_t *user_here;   /* [n_ue] alive, served or waiting */
    uint8_t *user_used;   /* [n_ue] served: all that are alive, with the analogue transmitter one in turn */
    uint64_t solve_start_ns, solve_end_ns; /* wall clock, for the hop table */
    uint64_t solve_ns;                     /* monotonic duration */
    int scheme;                            /* enum mimo_scheme: the rung of the ladder it got */
    bool stepped_down;
    struct stream_set *streams;
    bool powered;  /* the slow clock has powers for this block; else equal ones */
    double *power; /* [n_ap][n_ue] these: shares of an AP's budget, or parts of the shape (cpu_node/powers.h) */
    double *shape_of_powers; /* [n_sb][n_ue] of robust least squares' powers, each subband's own; else zeros */
    double *plan;            /* sensing_plan_in: what is illuminated; NULL without zones */
    bool planned;            /* something is there */
    double *bound;           /* [n_sb]; NaN unless the scheme has a certificate */
    float *sinr;             /* [n_sb][n_ue] */
    int *reason;             /* [n_sb] */
    uint32_t calibration;    /* number of the one by which the estimates are turned; 0: none */
    double an_share;         /* of every AP's power in this block; 0 = no noise */
    bool an_solved;          /* every subband has one that no user hears */
    struct block_part *part; /* NULL: there is one central node */
};

int block_create(struct cpu_block **block, const struct block_shape *shape);
void block_destroy(struct cpu_block *block); /* NULL and half-built allowed */
/* Empty again: nothing gathered, nothing solved. Estimates are not cleared, see block_forget_missing. O(n_ap). */
void block_open(struct cpu_block *block, uint64_t number, tutti_tick tick, uint32_t session, uint64_t now_ns);
/* One AP's coefficients [n_sb][n_ant][n_ue] into their place; the AP counts as gathered. */
void block_store(struct cpu_block *block, int ap, const tutti_cf32 *coefficients, const float *beta,
                 const float *error_variance);
/* One subband of block->part. */
struct parts_heard block_part_heard(const struct cpu_block *block, int sb);
/* The same estimates by pilots, P [n_sb][n_ant][n_pilot] and factor [n_ue]. */
void block_store_pilots(struct cpu_block *block, int ap, const tutti_cf32 *P, const float *factor);
/* Zeroes the estimates of APs that are not in it. */
void block_forget_missing(struct cpu_block *block);

#endif
