/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data with several central nodes: each combines the antennas of its own access points; helpers send the streams
 * to the user's home, which takes every central node for one more access point of instant fusion (mimo/fuse.h,
 * docs/several-cpus.md). A window of blocks that are combined here and wait for the streams of the others. Plain data
 * with sizes from the configuration, no threads, no time; create allocates, nothing else does.
 *
 * A part as a message: type uplink, kind 1, node WIRE_NODE_CPU + central node; statistics user [n_column], f
 * [n_sb][n_column], g [n_sb][n_column][n_ue] complex, then the streams; one of no statistics and no values says that
 * there is nothing to help with in this block (docs/wire.md). */
#ifndef TUTTI_CPU_NODE_UPLINK_PARTS_H
#define TUTTI_CPU_NODE_UPLINK_PARTS_H

#include "cpu_node/uplink/weights.h"
#include "cpu_node/uplink/window.h"

enum {
    PARTS_WINDOW = 8,
    PARTS_PATIENCE = 4 /* a block waits for parts until the one so much later is combined here; in lock-step the
                          window's length: nobody is further ahead there */
};

/* What is known of a block at this central node. */
struct parts_block {
    uint64_t number;
    bool open, own;     /* own: combined here */
    uint8_t *user_here; /* [n_ue] ours, and sends data */
    int32_t *home;      /* [n_ue] */
    uint8_t *expected;  /* [n_cpu] helpers that are there */
    uint8_t *got;       /* [n_cpu] has sent */
    uint8_t *has;       /* [n_cpu][n_ue] has a stream of the user */
    tutti_cf32 *values; /* [n_cpu][n_ue][n_ul][n_sc] */
    tutti_cf32 *g;      /* [n_cpu][n_ue][n_sb][n_ue] */
    float *f;           /* [n_cpu][n_ue][n_sb] */
    int64_t *bytes;     /* [n_cpu] of the message */
    uint8_t *ap_used;   /* [n_ap] for the record */
    int64_t *ap_bytes;  /* [n_ap] */
    uint64_t combine_ns;
};
typedef struct uplink_parts uplink_parts_t;

struct uplink_parts_settings {
    struct uplink_shape shape;
    const struct config *config; /* read at create only */
    int n_cpu, self;
    bool lockstep;
};

int uplink_parts_create(uplink_parts_t **parts, const struct uplink_parts_settings *settings);
void uplink_parts_destroy(uplink_parts_t *parts); /* NULL and half-built allowed */
/* Bytes of the longest part; 0: does not fit a message. */
size_t uplink_parts_bytes(const struct uplink_shape *shape, const struct config *config);

/* The place of a block, empty if it was not open; what had it before is given up: take uplink_parts_due first. */
struct parts_block *uplink_parts_open(uplink_parts_t *parts, uint64_t number);
/* The streams of user k of this block's weights into the place, as this central node's own. */
void uplink_parts_keep(uplink_parts_t *parts, struct parts_block *block, const uplink_weights_t *weights, int k);
/* The users of which [n_ue] as a message; bytes, 0 if it does not fit. header: session, block and tick are taken. */
size_t uplink_parts_pack(uplink_parts_t *parts, const uplink_weights_t *weights, const uint8_t *which,
                         const struct wire_header *header, uint8_t *out, size_t capacity);
/* A partner's message; enum wire_error. */
int uplink_parts_store(uplink_parts_t *parts, int cpu, const uint8_t *data, size_t n_bytes);
/* It is not there any more: no block waits for it. */
void uplink_parts_gone(uplink_parts_t *parts, int cpu);
/* The oldest block that has all its parts, or has waited long enough, else NULL; in order. `upto`: as if this block
 * were combined here already. The caller closes it. */
struct parts_block *uplink_parts_due(uplink_parts_t *parts, uint64_t upto);
void uplink_parts_close(uplink_parts_t *parts, struct parts_block *block);

/* Weights of all streams of the block's users here; then symbols [n_ul][n_sc] and their predicted SINR [n_sb] as of
 * uplink_weights_apply. */
void uplink_parts_make(uplink_parts_t *parts, const struct parts_block *block);
void uplink_parts_apply(const uplink_parts_t *parts, int k, tutti_cf32 *symbols, double *sinr);

struct uplink_parts_counters {
    uint64_t lost;    /* partners' parts that had not come when their block was due */
    uint64_t late;    /* parts of blocks that are not waited for any more */
    uint64_t early;   /* parts of blocks further ahead than the window is long: nobody's place is taken by them */
    uint64_t refused; /* messages that are not what they should be */
};
struct uplink_parts_counters uplink_parts_counters(const uplink_parts_t *parts);

#endif
