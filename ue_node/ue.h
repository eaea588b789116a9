/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user daemon's state and the verbs of its loop; in the role of an eavesdropper it listens with several antennas to
 * everybody's stream. Two threads: the slot thread (main) owns the radio; the report thread decodes, measures and owns
 * the lab link. Between them a ring of captured downlinks. */
#ifndef TUTTI_UE_NODE_UE_H
#define TUTTI_UE_NODE_UE_H

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "hw/radio.h"
#include "phy/cursor.h"
#include "phy/frame.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

#include <pthread.h>
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
};

struct ue_counters {
    uint64_t blocks, captures_dropped, rx_gaps, radio[5], code_blocks, code_block_errors;
};

enum ue_role { UE_USER, UE_EVE };

struct ue {
    const struct config *config;
    const struct config_radio *settings;
    struct frame frame;
    enum ue_role role;
    int id, n_ue, n_ant;
    int wanted[TUTTI_MAX_UE], n_wanted; /* the users whose streams are received */
    int pilot_user;                     /* whose uplink pilot is sent; -1: none */
    uint64_t pilot_from_block;
    bool lockstep;

    radio_t *radio;
    ofdm_t *ofdm;
    struct ue_receiver receiver;

    struct cursor at;
    tutti_cf32 *rx[TUTTI_MAX_ANT]; /* one symbol or the tail */
    tutti_cf32 *pilots;            /* [tau][n_symbol_samples], ready to send from the first antenna */
    tutti_cf32 *silence;           /* [n_symbol_samples], from the others */
    struct ue_capture *capture;    /* the slot being filled; NULL when there was no room */

    fh_peer_t *lab;
    pthread_t thread;
    bool running;
    ring_t *captures;
    int capture_event, room_event;
    struct ue_counters counters;
};

/* setup.c */
int ue_create(struct ue *ue, const struct config *config, enum ue_role role, int id); /* may block for the CPU node */
void ue_destroy(struct ue *ue);
void ue_print_counters(const struct ue *ue);

/* slot.c: what the loop calls. */
void slot_send_pilots(struct ue *ue, uint64_t block);
int slot_receive(struct ue *ue);
void slot_capture_downlink(struct ue *ue);

/* receive.c; no allocation after create. */
int receiver_create(struct ue_receiver *receiver, const struct frame *frame, const struct config *config, int n_ant);
void receiver_destroy(struct ue_receiver *receiver);
/* Y [n_ant][n_dl][n_sc]; measurements [n_wanted], one for the stream of each user in wanted. */
void receiver_execute(struct ue_receiver *receiver, uint64_t block, const tutti_cf32 *Y, int n_wanted,
                      const int *wanted, struct ue_measurement *measurements);

/* report.c: the report thread. */
int report_start(struct ue *ue);
void report_stop(struct ue *ue);

#endif
