/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device that streams, as hw/stream sees it: the few calls of a vendor's library that move samples, behind one table.
 * Everything around them (threads, rings, bursts in order of time, what became of them) is the same for all libraries.
 * A device is found and set up elsewhere (hw/uhd, hw/soapy). */
#ifndef TUTTI_HW_STREAM_DEVICE_H
#define TUTTI_HW_STREAM_DEVICE_H

#include "hw/stream/ledger.h"

/* What a device says besides samples. */
enum stream_event {
    STREAM_FINE,
    STREAM_SILENT,   /* nothing came in time */
    STREAM_OVERFLOW, /* samples were lost because nobody fetched them; it goes on by itself */
    STREAM_DROP,     /* packets were lost on the way; it goes on by itself */
    STREAM_BAD,      /* a packet that makes no sense */
    STREAM_ENDED     /* no more samples will come: it is to be started again */
};

struct stream_piece {
    tutti_tick tick; /* of its first sample */
    int n;           /* samples of every antenna, 0 = none */
    bool timed;      /* the tick is the device's */
    enum stream_event event;
};

/* Negative returns have their sentence and are the end of the device. Calls may lock and allocate. */
struct stream_ops {
    int (*now)(void *state, tutti_tick *now); /* any thread: a round trip to the device */
    /* Continuous receiving from tick `at` on, all antennas together; or its end. Any thread, one at a time. */
    int (*start)(void *state, tutti_tick at);
    int (*stop)(void *state);
    /* The receive thread: one packet of at most packet_samples; blocks about 0.1 s. buffers: [n_ant]. */
    int (*receive)(void *state, void *const *buffers, struct stream_piece *piece);
    /* The transmit thread: one timed burst, with its end; returns how many samples the device took. If not all, `end`
     * ends what was begun, or the device waits for the rest. */
    size_t (*send)(void *state, const void *const *buffers, size_t n, tutti_tick at);
    void (*end)(void *state, const void *const *buffers);
    /* The message thread: what the device tells about bursts, if it has anything to tell; does not block. event->kind
     * LEDGER_N_KINDS: about something else. */
    bool (*message)(void *state, struct ledger_event *event);
};

struct stream_device {
    const struct stream_ops *ops;
    void *state;
    const char *kind; /* a word for log lines: "USRP" */
    const char *name; /* the configuration's args, for sentences */
    int n_ant, tick_multiple;
    int packet_samples; /* most in one packet */
    uint64_t rate_hz;
    bool elastic;  /* its time is not the wall clock's: it waits for whoever takes its samples (emulated devices) */
    bool taciturn; /* it does not acknowledge bursts: one that it says nothing about has been sent */
};

#endif
