/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user daemon's state and the verbs of its loop. Two threads: the slot thread (main) owns the radio; the report
 * thread decodes, measures and owns the lab link. Between them a ring of captured downlinks. */
#ifndef TUTTI_UE_NODE_UE_H
#define TUTTI_UE_NODE_UE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "hw/radio.h"
#include "phy/cursor.h"
#include "phy/frame.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

/* The downlink of one block, in a ring slot. */
struct ue_capture {
    uint64_t block;
    tutti_cf32 Y[]; /* [n_dl][n_sc] */
};

/* What one block's downlink tells. */
struct ue_measurement {
    double sinr; /* linear: summed signal power over summed error power of the data symbols, bias removed */
    double evm;  /* of the equalised data symbols, fraction */
    struct payload_result payload;
};

/* The receiver of one user: from captured subcarriers to bits and figures. */
struct ue_receiver {
    const struct frame *frame;
    int user, n_ue;
    payload_t *payload;
    tutti_cf32 *dl_pilots; /* [n_ue][n_dl_pilot][n_sc] */
    tutti_cf32 *gain;      /* [n_sb][n_ue]: effective channel of every stream at this user */
    float *disturbance;    /* [n_sb]: interference plus noise power */
    tutti_cf32 *equalised; /* [n_data_symbols][n_sc] */
    float *noise_variance; /* same shape */
    tutti_cf32 *truth;     /* same shape */
};

struct ue_counters {
    uint64_t blocks, captures_dropped, rx_gaps, radio[5], code_blocks, code_block_errors;
};

struct ue {
    const struct config *config;
    struct frame frame;
    int id, n_ue;
    bool lockstep;

    radio_t *radio;
    ofdm_t *ofdm;
    struct ue_receiver receiver;

    struct cursor at;
    tutti_cf32 *rx, *pilots;    /* one symbol or the tail; [tau][n_symbol_samples], ready to send */
    struct ue_capture *capture; /* the slot being filled; NULL when there was no room */

    fh_peer_t *lab;
    pthread_t thread;
    bool running;
    ring_t *captures;
    int capture_event, room_event;
    struct ue_counters counters;
};

/* setup.c */
int ue_create(struct ue *ue, const struct config *config, int id); /* may block until the CPU node answers */
void ue_destroy(struct ue *ue);
void ue_print_counters(const struct ue *ue);

/* slot.c: what the loop calls. */
void slot_send_pilots(struct ue *ue, uint64_t block);
int slot_receive(struct ue *ue);
void slot_capture_downlink(struct ue *ue);

/* receive.c: one user's receiver; no allocation after create. */
int receiver_create(struct ue_receiver *receiver, const struct frame *frame, const struct config *config, int user);
void receiver_destroy(struct ue_receiver *receiver);
void receiver_execute(struct ue_receiver *receiver, uint64_t block, const tutti_cf32 *Y,
                      struct ue_measurement *measurement);

/* report.c: the report thread. */
int report_start(struct ue *ue);
void report_stop(struct ue *ue);

#endif
