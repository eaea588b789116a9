/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a radio transmits: bursts copied by the slot thread, handed to the device in order of time by a thread of its
 * own (one timed send with start and end of burst), and a second thread that takes the device's messages about them.
 * Both tell the slot thread through rings. */
#ifndef TUTTI_HW_STREAM_TRANSMIT_H
#define TUTTI_HW_STREAM_TRANSMIT_H

#include "hw/stream/receive.h"

enum { STREAM_MAX_BURSTS = 64 };

struct stream_burst {
    tutti_tick at;
    int n, offset; /* samples, and where they lie in the buffer */
    atomic_bool done;
};

struct stream_transmit {
    const struct stream_device *device;
    struct stream_receive *receive; /* whose ticks are the time */
    struct stream_thread thread, messages;

    tutti_cf32 *buffer; /* [n_ant][room] */
    int room;
    struct stream_burst burst[STREAM_MAX_BURSTS]; /* burst i in place i mod STREAM_MAX_BURSTS */
    uint64_t oldest;                              /* the slot thread's: first burst whose samples are still held */
    _Atomic uint64_t queued;                      /* bursts so far; the slot thread's to raise */
    _Atomic uint64_t handed;                      /* bursts that are done; the transmit thread's */
    int there;                                    /* event to the transmit thread */
    int idle;                                     /* event to the slot thread: handed == queued, when it asked */
    atomic_bool asked_idle;
    atomic_bool talking; /* a burst was handed over, so there will be messages */

    /* the transmit thread's */
    tutti_tick horizon; /* a burst is handed over this long before its time */
    int n_waiting;
    uint64_t seen;
    uint64_t waiting[STREAM_MAX_BURSTS]; /* bursts in order of time */
    ring_t *told;                        /* of ledger_event, to the slot thread */

    /* the message thread's */
    ring_t *heard;               /* of ledger_event, to the slot thread */
    atomic_uint n_heard_dropped; /* the ring was full */
    int message;                 /* event to the slot thread, which waits for one with elastic devices only */
};

/* room: samples held at once; horizon: samples. */
int stream_transmit_create(struct stream_transmit *transmit, const struct stream_device *device,
                           struct stream_receive *receive, int room, tutti_tick horizon, int priority);
void stream_transmit_destroy(struct stream_transmit *transmit); /* half-built allowed; stops */
int stream_transmit_start(struct stream_transmit *transmit);
void stream_transmit_stop(struct stream_transmit *transmit);
/* Copies and queues; no allocation, no lock. TUTTI_EAGAIN: no room. */
int stream_transmit_burst(struct stream_transmit *transmit, const tutti_cf32 *const *buffers, int n, tutti_tick at);
/* For elastic devices, whose time waits as well. Flush: until all bursts are with the device. Settle: until the device
 * has told of every burst that ended long before the newest sample, at most two seconds; with stream_transmit_hear. */
void stream_transmit_flush(struct stream_transmit *transmit);
void stream_transmit_settle(struct stream_transmit *transmit, ledger_t *ledger);
/* All that was told and heard since, into the ledger. */
void stream_transmit_hear(struct stream_transmit *transmit, ledger_t *ledger);

#endif
