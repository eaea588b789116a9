/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of users' uplink data on their way from the uplink thread into rows. */
#ifndef TUTTI_CPU_NODE_RECORD_UPLINK_H
#define TUTTI_CPU_NODE_RECORD_UPLINK_H

#include "base/ring.h"
#include "cpu_node/record/live.h"
#include "cpu_node/record/run_file.h"
#include "phy/payload.h"

struct record_uplink_user {
    bool here; /* else nothing below counts */
    double sinr_measured, sinr_predicted, evm;
    struct payload_result payload;
    const tutti_cf32 *symbols; /* [n_symbols], the caller's */
};
struct record_uplink_row {
    uint64_t block;
    double combine_s, decode_s;
    const struct record_uplink_user *user; /* [n_ue] */
    int n_symbols;
    const uint8_t *ap_used; /* [n_ap] */
    const int64_t *bytes;   /* [n_ap] */
    /* of several central nodes, else NULL */
    const int32_t *home;       /* [n_ue] */
    const uint8_t *part_used;  /* [n_cpu][n_ue] */
    const int64_t *part_bytes; /* [n_cpu] */
};

struct record_uplink {
    run_file_t *file;
    struct live *live; /* told too, if not NULL */
    struct record_shape shape;
    bool wait;          /* for room: lock-step */
    ring_t *rows;       /* uplink thread -> record thread */
    int room;           /* there is room again */
    uint64_t n_dropped; /* uplink thread */
    uint64_t newest;    /* record thread: newest block + 1 */
};

/* Nothing is created without an uplink (*uplink NULL). */
int record_uplink_create(struct record_uplink **uplink, run_file_t *file, const struct record_shape *shape, bool wait);
void record_uplink_destroy(struct record_uplink *uplink); /* NULL and half-built allowed */
/* Uplink thread: copied; false: no room. */
bool record_uplink_send(struct record_uplink *uplink, const struct record_uplink_row *row);
/* Record thread: rows of blocks first..end-1 into the file. */
void record_uplink_write(struct record_uplink *uplink, uint64_t first, uint64_t end);

#endif
