/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AP daemon's state and the verbs of its loop. Two threads: the slot thread (main) owns the radio and everything
 * sampled; the link thread owns the ZeroMQ socket. Between them two rings and two wake-ups, nothing else. */
#ifndef TUTTI_AP_NODE_AP_H
#define TUTTI_AP_NODE_AP_H

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "fronthaul/wire.h"
#include "hw/radio.h"
#include "mimo/apply.h"
#include "mimo/splitmix.h"
#include "phy/cursor.h"
#include "phy/estimate.h"
#include "phy/frame.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

#include <pthread.h>
#include <stdatomic.h>

/* One precoder as received, in a ring slot. */
struct ap_precoder {
    struct wire_header header;
    struct wire_precoder_meta meta;
    uint64_t received_ns;
    tutti_cf32 V[]; /* [n_sb][n_ant][n_stream] */
};

/* One packed CSI message on its way to the link thread. */
struct ap_message {
    size_t n_bytes;
    uint8_t bytes[];
};

/* Counted outcomes of the run, printed at the end. */
struct ap_counters {
    uint64_t blocks, applied[5], arrival[4], csi_dropped, tx_late, rx_gaps, radio[5];
};

/* What the link thread and the slot thread share. */
struct ap_link {
    fh_peer_t *peer;
    pthread_t thread;
    bool running;
    ring_t *csi_out;      /* of struct ap_message, slot -> link */
    ring_t *precoders_in; /* of struct ap_precoder, link -> slot */
    int csi_event, precoder_event;
    _Atomic uint32_t session;     /* 0 = not welcomed */
    _Atomic uint64_t no_precoder; /* newest block + 1 that the CPU node has no precoder for (lock-step) */
    _Atomic uint64_t refused[WIRE_N_ERRORS], wrong_session, ring_full;
    size_t precoder_room; /* coefficients of one slot: users and one noise stream */
    uint16_t id, n_sb, n_ant, n_ue;
};

struct ap {
    const struct config *config;
    struct frame frame;
    int id, n_ant, n_ue;
    struct ap_link link;

    radio_t *radio;
    ofdm_t *ofdm;
    estimate_t *estimate;
    payload_t *payload;

    /* position in time */
    struct cursor at;
    int decide_symbol; /* after this one the downlink of the block must be decided */
    int64_t wait_us;   /* longest wait for the precoder there */
    bool lockstep;

    /* work areas, allocated once; shapes as in the modules that use them */
    tutti_cf32 *rx[TUTTI_MAX_ANT], *tx[TUTTI_MAX_ANT]; /* [n_symbol_samples] each, rx room for the tail too */
    tutti_cf32 *pilots;                                /* Y [n_ant][tau][n_sc] */
    tutti_cf32 *silent;                                /* [n_ant][n_sc] */
    tutti_cf32 *H_hat;                                 /* [n_sb][n_ant][n_ue] */
    tutti_cf32 *V_local;                               /* [n_sb][n_ant][n_ue] */
    tutti_cf32 *V_work;      /* [n_sb][n_ant][n_stream]: vectors that change within the block */
    tutti_cf32 *noise_basis; /* [n_sb][n_ant][n_ant] */
    tutti_cf32 *noise;       /* [n_sc]: artificial noise symbols of one downlink symbol */
    int noise_rank[TUTTI_MAX_SB];
    struct splitmix private_random;
    tutti_cf32 *dl_pilots; /* [n_dl_pilot][n_ue][n_sc] */
    tutti_cf32 *data;      /* [n_ue][n_dl - n_dl_pilot][n_sc] */
    tutti_cf32 *beacon;    /* [n_sc] */
    tutti_cf32 *x;         /* [n_ant][n_sc] */
    float tx_scale;

    /* the block under way */
    bool have_estimate;
    struct wire_csi_meta meta;
    struct wire_ap_stamps stamps;
    uint64_t last_fresh_block;
    bool have_fresh;
    struct ap_counters counters;
};

/* setup.c */
int ap_create(struct ap *ap, const struct config *config, int id); /* start-up: may block until the CPU node answers */
void ap_destroy(struct ap *ap);
void ap_print_counters(const struct ap *ap);

/* link.c: the link thread. */
int link_start(struct ap *ap);
void link_stop(struct ap *ap);

/* slot.c: what the loop calls, one symbol at a time; no heap, locks, formatting or ZeroMQ. */
int slot_receive(struct ap *ap);  /* next symbol or tail into rx; negative: the loop ends */
void slot_prepare(struct ap *ap); /* the block's data symbols */
void slot_measure_noise(struct ap *ap);
void slot_capture_pilot(struct ap *ap); /* estimates and reports after the last one */
bool slot_must_decide(const struct ap *ap);
void slot_transmit(struct ap *ap); /* choose a precoder, precode, send the downlink and the next beacon */

/* stale.c: which precoder block b gets. Returns the vectors and their streams, or NULL for mute. */
struct ap_choice {
    const tutti_cf32 *V; /* [n_sb][n_ant][n_stream] */
    const struct wire_stream *stream;
    int n_stream;
    enum wire_applied kind;
    enum wire_arrival arrival;
    uint64_t received_ns, noise_key;
    bool fresh_every_symbol; /* streams_renew has work */
};
void stale_choose(struct ap *ap, struct ap_choice *choice);

/* streams.c: what the AP adds to a choice itself. */
void streams_prepare(struct ap *ap, struct ap_choice *choice);            /* once per block */
void streams_renew(struct ap *ap, const struct ap_choice *choice, int d); /* before downlink symbol d */

#endif
