/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a node may do with a radio. The same few operations for every backend; the backend is chosen by name. Samples
 * are cf32 where mean square 1 means the radio's full scale; time is the absolute tick. One thread uses a radio. */
#ifndef TUTTI_HW_RADIO_H
#define TUTTI_HW_RADIO_H

#include "base/types.h"

/* Event bits; letters are UHD's. */
enum radio_event {
    RADIO_UNDERRUN = 1 << 0, /* U: the radio ran out of samples inside a burst */
    RADIO_OVERFLOW = 1 << 1, /* O: received samples were lost because nobody fetched them */
    RADIO_DROP = 1 << 2,     /* D: packets lost on the way */
    RADIO_SEQUENCE = 1 << 3, /* S: packets out of order */
    RADIO_LATE = 1 << 4      /* L: a burst, or part of it, came after its time and was not sent */
};

struct radio_settings {
    const char *backend; /* "air" */
    const char *args;    /* backend's words: air: endpoint, "unix:///path" or "tcp://host:port" */
    const char *role;    /* "ap" or "ue" */
    int id;              /* 0.. within the role */
    int n_ant;
    double sample_rate_hz;
    int chunk_samples;       /* air: exchange size; others: receive packet size wished */
    int n_tx_buffer_samples; /* how far ahead of the newest received sample a burst may lie */
    double stop_poll_ms;     /* how often a blocked call looks at the stop flag; 0 = 100 */
};

typedef struct radio radio_t;

/* Blocks until the device is there (bounded by the backend). Errors: TUTTI_EDEVICE, TUTTI_EREFUSED, TUTTI_ECONFIG. */
int radio_open(radio_t **radio, const struct radio_settings *settings);
void radio_close(radio_t *radio); /* NULL allowed */

/* Start streaming at the first chunk boundary at or after `at` that is still possible (0 = as soon as can be) and
 * return in *first the tick of the first sample radio_recv will deliver. */
int radio_start(radio_t *radio, tutti_tick at, tutti_tick *first);

/* Blocks until n consecutive samples of every antenna are there. buffers: n_ant pointers to [n]. *tick = tick of the
 * first; after a gap (*events has RADIO_OVERFLOW) it is later than expected and fewer samples may be returned. Returns
 * the number of samples (> 0), or negative: TUTTI_EDEVICE (gone), TUTTI_ESTOPPED (rt_stop_requested). No allocation. */
int radio_recv(radio_t *radio, tutti_cf32 *const *buffers, int n, tutti_tick *tick, unsigned *events);

/* Queue n samples of every antenna for tick `at`. Never blocks. Samples whose time has passed are dropped and reported
 * with RADIO_LATE; silence is sent where nothing was queued. Overlapping bursts add up. Returns 0, or TUTTI_EAGAIN when
 * it lies beyond n_tx_buffer_samples. No allocation. */
int radio_send(radio_t *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, unsigned *events);

#endif
