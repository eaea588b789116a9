/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a radio receives: one continuous stream from a tick on, fetched packet by packet by a thread of its own into a
 * ring, from which the slot thread takes samples by tick. Where samples are lost the stream goes on at the tick of the
 * next packet; where it stops it is started again; a device that no longer answers is the end. */
#ifndef TUTTI_HW_STREAM_RECEIVE_H
#define TUTTI_HW_STREAM_RECEIVE_H

#include "base/ring.h"
#include "hw/stream/device.h"
#include "hw/stream/thread.h"

/* One packet in the ring. */
struct stream_packet {
    tutti_tick tick;
    uint64_t host_ns;           /* clock_mono_ns when it was there */
    enum radio_note_kind cause; /* of the samples missing before it; RADIO_NOTE_SENT: nothing was told */
    int n;
    tutti_cf32 samples[]; /* [n_ant][packet_samples] */
};

struct stream_receive {
    const struct stream_device *device;
    struct stream_thread thread;

    /* the receive thread's */
    ring_t *ring;                  /* of stream_packet, to the slot thread */
    struct stream_packet *dropped; /* where packets go when the ring is full */
    enum radio_note_kind cause;    /* told since the last packet */
    int n_silent;                  /* timeouts in a row */
    int n_ended;                   /* ends of the stream in a row */
    int n_still;                   /* an elastic device's time was looked at and stood still, in a row */

    /* shared */
    _Atomic tutti_tick newest; /* all before it was received */
    _Atomic tutti_tick wanted; /* the slot thread sleeps until newest reaches it; an elastic device's samples beyond it
                                * are not fetched */
    atomic_bool failed;        /* after that: sentence; no more packets */
    char sentence[512];
    int there;               /* event to the slot thread: wanted is reached, or failed */
    int asked;               /* event to the receive thread: wanted was raised */
    _Atomic tutti_tick due;  /* the transmit thread sleeps until newest reaches it ... */
    int progress;            /* ... on this event of its own; -1: there is none */
    atomic_uint n_restarted; /* the stream was started again */

    /* the slot thread's */
    tutti_tick next; /* to be delivered */
    int offset;      /* of it in the ring's oldest packet */
    uint64_t n_wakeups;
};

int stream_receive_create(struct stream_receive *receive, const struct stream_device *device, int priority);
void stream_receive_destroy(struct stream_receive *receive); /* half-built allowed; stops */
/* From the first tick at or after `at` that is still possible; waits for the first packet. */
int stream_receive_start(struct stream_receive *receive, tutti_tick at, tutti_tick *first);
void stream_receive_stop(struct stream_receive *receive);
/* As radio_recv; notes of losses go to the ledger. */
int stream_receive_get(struct stream_receive *receive, tutti_cf32 *const *buffers, int n, struct radio_got *got,
                       ledger_t *ledger);

#endif
