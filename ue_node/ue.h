/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user daemon's state and the verbs of its loop; in the role of an eavesdropper it listens with several antennas to
 * everybody's stream. Two threads: the slot thread (main) owns the radio; the decode thread decodes, measures and owns
 * the lab link. Between them a ring of captured downlinks. */
#ifndef TUTTI_UE_NODE_UE_H
#define TUTTI_UE_NODE_UE_H

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "node/radio.h"
#include "node/span.h"
#include "node/thread.h"
#include "phy/frame.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

#include <stdatomic.h>

/* The downlink of one block, in a ring slot. */
struct ue_capture {
    uint64_t block;
    tutti_cf32 Y[]; /* [n_ant][n_dl][n_sc] */
};

/* What one block's downlink tells of one stream. */
struct ue_measurement {
    double sinr; /* linear: summed signal power over summed error power of the data symbols, bias removed */
    double evm;  /* of the equalised data symbols, fraction */
    struct payload_result payload;
};

/* The receiver: from captured subcarriers to bits and figures of any stream. */
struct ue_receiver {
    const struct frame *frame;
    int n_ant, n_ue;
    payload_t *payload;
    tutti_cf32 *dl_pilots; /* [n_ue][n_dl_pilot][n_sc] */
    tutti_cf32 *gain;      /* [n_sb][n_ue][n_ant]: effective channel of every stream at these antennas */
    tutti_cf32 *noise;     /* [n_sb][n_ant][n_ant]: covariance of what is no stream */
    /* of the stream looked at last */
    tutti_cf32 *combiner;    /* [n_sb][n_ant], unit norm: combined = combiner^H y */
    tutti_cf32 *stream_gain; /* [n_sb] after combining */
    float *disturbance;      /* [n_sb] interference plus noise power after combining */
    tutti_cf32 *combined;    /* [n_data_symbols][n_sc] */
    tutti_cf32 *equalised;   /* same shape */
    float *noise_variance;   /* same shape */
    tutti_cf32 *truth;       /* same shape */
    /* work of the combiner */
    double *matrix;         /* [6][n_ant][n_ant] */
    double complex *vector; /* [2][n_ant] */
};

struct ue_counters {
    uint64_t blocks, captures_dropped, missed, code_blocks, code_block_errors;
    uint64_t points_cut;   /* constellations of which only a part fits a control message */
    uint64_t reports_lost; /* reports that the lab link did not take */
};

enum ue_role { UE_USER, UE_EVE };

struct ue {
    const struct config *config;
    struct frame frame;
    enum ue_role role;
    int id, n_ue, n_ant;
    int *wanted, n_wanted; /* the users whose streams are received */
    int pilot_user;        /* whose uplink pilot is sent; -1: none */
    uint64_t pilot_from_block;

    struct node_radio radio;
    struct node_span span;
    ofdm_t *ofdm;
    struct ue_receiver receiver;
    struct ue_measurement *measurements; /* [n_wanted] */

    uint64_t block;                   /* under way */
    uint64_t pilots_block;            /* the next whose pilots are to be queued */
    int n_pilot_samples;              /* first P symbol to the end of the last */
    tutti_cf32 *pilots;               /* [n_pilot_samples], from the first antenna */
    tutti_cf32 *silence;              /* the same from the others */
    const tutti_cf32 **pilot_buffers; /* [n_ant] */

    fh_peer_t *lab;
    struct node_thread decode;
    char *text; /* [CONTROL_MAX_BYTES + 1]: one report */
    ring_t *captures;
    int capture_event, room_event;
    atomic_bool slot_waits;   /* for room in the ring */
    _Atomic tutti_tick epoch; /* of the last welcome */
    struct ue_counters counters;
};

/* setup.c. Create: what needs neither radio nor central node. Join: opens the radio, then says hello, then starts;
 * blocks until both are there. */
int ue_create(struct ue *ue, const struct config *config, enum ue_role role, int id);
int ue_join(struct ue *ue);
void ue_destroy(struct ue *ue); /* half-built allowed */
void ue_log_counters(const struct ue *ue);

/* slot.c: what the loop calls, once per block; no heap, locks, formatting or ZeroMQ. */
void slot_prepare(struct ue *ue);    /* which block is next; queues the pilots of the one after */
int slot_receive(struct ue *ue);     /* all samples up to the end of the block's downlink; negative: the loop ends */
void slot_hear_notes(struct ue *ue); /* what became of earlier bursts */
void slot_capture_downlink(struct ue *ue);

/* receive.c; no allocation after create. */
int receiver_create(struct ue_receiver *receiver, const struct frame *frame, const struct config *config, int n_ant);
void receiver_destroy(struct ue_receiver *receiver);
/* Y [n_ant][n_dl][n_sc]; measurements [n_wanted], one for the stream of each user in wanted. */
void receiver_execute(struct ue_receiver *receiver, uint64_t block, const tutti_cf32 *Y, int n_wanted,
                      const int *wanted, struct ue_measurement *measurements);

/* report.c: one block's figures as a control message in `text` [room]; returns how many constellation points did not
 * fit, or TUTTI_EINVAL when nothing does. */
struct report_points {
    const tutti_cf32 *values; /* NULL: none */
    int n_values, n_points;   /* wanted, evenly spread over the values */
};
int report_user(char *text, size_t room, uint64_t block, const struct ue_measurement *measurement,
                const struct report_points *points);
int report_eve(char *text, size_t room, uint64_t block, int n_user, const struct ue_measurement *measurements);

/* decode.c: the decode thread. */
int decode_start(struct ue *ue);
void decode_stop(struct ue *ue);

#endif
