/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a USRP transmits: bursts copied by the slot thread, handed to libuhd in order of time by a thread of its own
 * (one timed send with start and end of burst), and a second thread that takes the device's messages about them. Both
 * tell the slot thread through rings. */
#ifndef TUTTI_HW_UHD_TRANSMIT_H
#define TUTTI_HW_UHD_TRANSMIT_H

#include "hw/uhd/receive.h"

enum { UHD_MAX_BURSTS = 64 };

struct uhd_burst {
    tutti_tick at;
    int n, offset; /* samples, and where they lie in the buffer */
    atomic_bool done;
};

struct uhd_transmit {
    struct uhd_device *device;
    struct uhd_receive *receive; /* whose ticks are the time */
    uhd_tx_streamer_handle streamer;
    struct uhd_thread thread, messages;
    pthread_mutex_t handle; /* libuhd's C handle of the streamer keeps its last error: one call at a time. Held by the
                             * two threads only */

    tutti_cf32 *buffer; /* [n_ant][room] */
    int room;
    struct uhd_burst burst[UHD_MAX_BURSTS]; /* burst i in place i mod UHD_MAX_BURSTS */
    uint64_t oldest;                        /* the slot thread's: first burst whose samples are still held */
    _Atomic uint64_t queued;                /* bursts so far; the slot thread's to raise */
    _Atomic uint64_t handed;                /* bursts that are done; the transmit thread's */
    int there;                              /* event to the transmit thread */
    int idle;                               /* event to the slot thread: handed == queued, when it asked */
    atomic_bool asked_idle;
    atomic_bool talking; /* a burst was handed over, so there will be messages */

    /* the transmit thread's */
    tutti_tick horizon; /* a burst is handed over this long before its time */
    int n_waiting;
    uint64_t seen;
    uint64_t waiting[UHD_MAX_BURSTS]; /* bursts in order of time */
    ring_t *told;                     /* of ledger_event, to the slot thread */

    /* the message thread's */
    uhd_async_metadata_handle metadata;
    ring_t *heard;               /* of ledger_event, to the slot thread */
    atomic_uint n_heard_dropped; /* the ring was full */
    int message;                 /* event to the slot thread, which waits for one with elastic devices only */
};

/* room: samples held at once; horizon: samples. Makes the streamer. */
int uhd_transmit_create(struct uhd_transmit *transmit, struct uhd_device *device, struct uhd_receive *receive, int room,
                        tutti_tick horizon, int priority);
void uhd_transmit_destroy(struct uhd_transmit *transmit); /* half-built allowed; stops */
int uhd_transmit_start(struct uhd_transmit *transmit);
void uhd_transmit_stop(struct uhd_transmit *transmit);
/* Copies and queues; no allocation, no lock. TUTTI_EAGAIN: no room. */
int uhd_transmit_burst(struct uhd_transmit *transmit, const tutti_cf32 *const *buffers, int n, tutti_tick at);
/* For elastic devices, whose time waits as well. Flush: until all bursts are with libuhd. Settle: until the device has
 * told of every burst that ended long before the newest sample, at most two seconds; with uhd_transmit_hear. */
void uhd_transmit_flush(struct uhd_transmit *transmit);
void uhd_transmit_settle(struct uhd_transmit *transmit, ledger_t *ledger);
/* All that was told and heard since, into the ledger. */
void uhd_transmit_hear(struct uhd_transmit *transmit, ledger_t *ledger);

#endif
