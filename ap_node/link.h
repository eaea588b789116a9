/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The link thread: estimates out, precoders in, the session watched. It may use ZeroMQ and its allocations; the slot
 * thread shares a ring, an inbox, two wake-ups and a few numbers with it, and waits for it only for a precoder. */
#ifndef TUTTI_AP_NODE_LINK_H
#define TUTTI_AP_NODE_LINK_H

#include "ap_node/inbox.h"
#include "ap_node/reciprocity.h"
#include "ap_node/slave.h"
#include "ap_node/sounder.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "node/roster.h"
#include "node/thread.h"

#include <stdatomic.h>

/* One packed message on its way out, in a ring slot. */
struct ap_message {
    size_t n_bytes;
    uint8_t bytes[];
};

struct ap_link {
    const struct config *config;
    struct node_thread thread;
    fh_peer_t *peer;
    ring_t *csi_out;                 /* of struct ap_message, slot -> link */
    ring_t *other_out;               /* the same for what the APs heard of each other */
    ring_t *uplink_out;              /* and for users' data; NULL: none */
    inbox_t *inbox;                  /* link -> slot */
    struct sounder *sounder;         /* told of calibration runs */
    ring_t *notes;                   /* of struct slave_note: what to tell of synchronisation; its owner's */
    struct reciprocity *reciprocity; /* and of what comes of them; their owner's */
    struct roster_book *rosters;     /* link -> slot: who is served */
    struct roster *roster;           /* the thread's: the last one heard */
    int csi_event, precoder_event;
    _Atomic uint32_t session;     /* 0 = not welcomed */
    _Atomic tutti_tick epoch;     /* of the last welcome */
    _Atomic uint64_t no_precoder; /* newest block + 1 that the central node has no precoder for (lock-step) */
    _Atomic uint64_t account_ack; /* accounts of blocks before this one have arrived */
    atomic_bool silent;           /* the central node leaves this AP out: it must not send by itself, either */
    uint64_t refused[WIRE_N_ERRORS], wrong_session; /* the thread's; read them when it has ended */
    uint64_t wakeups;
    int room;            /* streams of one precoder */
    size_t message_room; /* bytes of one estimates message */
    size_t other_room;   /* and of the others */
    size_t uplink_room;  /* of users' data; 0: none */
    uint16_t id, n_sb, n_ant, n_ue;
    int most_shift;               /* samples that a calibration may shift this AP's time by */
    float power_mean, power_peak; /* the thread's: as ordered last; 0 = not yet */
};

/* Rings and wake-ups; no thread yet. sounder and reciprocity are there before and outlive the link. */
int ap_link_create(struct ap_link *link, const struct config *config, int id, int n_sb, int room, size_t uplink_room,
                   struct sounder *sounder, struct reciprocity *reciprocity);
/* With the peer welcomed: from here on the thread owns it. */
int ap_link_start(struct ap_link *link, const struct fh_welcome *welcome);
void ap_link_stop(struct ap_link *link);    /* not started: nothing */
void ap_link_destroy(struct ap_link *link); /* half-built allowed */

/* Slot thread: room for one message, or NULL when the thread is behind. Fill it, then ap_link_send. */
struct ap_message *ap_link_message(struct ap_link *link);
void ap_link_send(struct ap_link *link);
/* The same for other messages. */
struct ap_message *ap_link_other(struct ap_link *link);
void ap_link_send_other(struct ap_link *link);
/* The same for users' data, with uplink_room bytes. */
struct ap_message *ap_link_uplink(struct ap_link *link);
void ap_link_send_uplink(struct ap_link *link);
void ap_link_log_counters(const struct ap_link *link);

#endif
