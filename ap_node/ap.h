/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AP daemon: its parts, put together, and the verbs of its loop. Two threads: the slot thread (main) owns the radio
 * and everything sampled; the link thread owns the ZeroMQ socket (link.h). */
#ifndef TUTTI_AP_NODE_AP_H
#define TUTTI_AP_NODE_AP_H

#include "ap_node/accounts.h"
#include "ap_node/capture.h"
#include "ap_node/choice.h"
#include "ap_node/downlink.h"
#include "ap_node/link.h"
#include "ap_node/pulse.h"
#include "ap_node/reciprocity.h"
#include "ap_node/slave.h"
#include "ap_node/sounder.h"
#include "ap_node/streams.h"
#include "ap_node/uplink.h"
#include "node/radio.h"
#include "node/span.h"

struct ap {
    const struct config *config;
    struct frame frame;
    int id;
    struct node_radio radio;
    struct node_span span;
    struct slave slave;
    struct pulse pulse;
    struct capture capture;
    struct sounder sounder;
    struct reciprocity reciprocity;
    struct choice choice;
    struct streams streams;
    struct downlink downlink;
    struct uplink uplink;
    accounts_t *accounts;
    struct ap_link link;

    const struct roster *roster; /* of the downlink that is made */
    int *sequence;               /* [n_ue] who sends which pilot in the block under way */
    int decision_samples;        /* from a block's start to the end of its last pilot: the samples its decision needs */
    uint64_t block;              /* under way: whose pilots come */
    uint64_t lag;                /* the downlink decided with them is that of block + lag */
    int move_samples;            /* to later ticks, from the next block on: the reference says so */
    uint64_t capture_end_ns;
    uint32_t reported_in; /* the session in which this block's estimates went out; 0: they did not */
    uint32_t session;     /* the last one there was a report in */
    uint64_t send_ns;     /* what precoding and handing over has lately taken at most */
    uint64_t blocks, csi_dropped;
};

/* setup.c. Create: what needs neither radio nor central node. Join: opens the radio, then says hello, then starts;
 * blocks until both are there. */
int ap_create(struct ap *ap, const struct config *config, int id);
int ap_join(struct ap *ap);
void ap_destroy(struct ap *ap); /* half-built allowed */
void ap_log_counters(const struct ap *ap);

/* slot.c: what the loop calls, once per block; no heap, locks, formatting or ZeroMQ. */
void slot_prepare(struct ap *ap);  /* which block is next; its data symbols, ahead of time */
int slot_receive(struct ap *ap);   /* all samples up to the block's last pilot; negative: the loop ends */
bool slot_in_time(struct ap *ap);  /* false: the block has passed meanwhile */
bool slot_estimate(struct ap *ap); /* false: its pilots are not whole */
void slot_report(struct ap *ap);   /* estimates and accounts to the link thread */
void slot_transmit(struct ap *ap); /* choose a precoder, precode, hand over the downlink and the next beacon */
/* Users' data of the block before, to the link thread; this block's is next if its pilots were whole. */
void slot_uplink(struct ap *ap, bool whole);
void slot_hear_notes(struct ap *ap); /* what became of earlier bursts */

#endif
