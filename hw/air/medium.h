/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The medium's clock and its side of the exchange: who is there, what each has handed in, when chunk c may be computed.
 * Owns the sockets and the rings; one thread. Whatever a peer writes, into its socket or into its ring, at worst costs
 * that peer its connection. Radios on this host wake the medium only when the last of those it waits for has handed in,
 * and are woken only when all they asked for is there. */
#ifndef TUTTI_AIR_MEDIUM_H
#define TUTTI_AIR_MEDIUM_H

#include "hw/air/mixer.h"

typedef struct medium medium_t;

struct medium_settings {
    const char *endpoint;
    int n_ap, n_ue, n_eve, n_ant, n_eve_ant; /* users have one antenna */
    double sample_rate_hz;
    int chunk;
    bool paced, wait_for_all, exit_when_empty;
    const bool *needed; /* [n_radio] whose whole chunk is computed, whatever it wants; NULL: nobody's; the caller's */
    double radio_timeout_ms; /* lock-step: how long a radio may keep the others waiting */
    double hello_timeout_ms; /* how long a connection may be silent, or a seat without a start be safe from others */
};

struct medium_counters {
    uint64_t chunks;
    uint64_t late;     /* TX chunks with signal that came after their time */
    uint64_t overflow; /* RX chunks a radio did not fetch */
    uint64_t behind;   /* paced: chunks computed later than one chunk after their time */
    uint64_t joins, leaves, refused, bad_peers, put_out;
    uint64_t wakeups;           /* times something woke the medium */
    uint64_t bells;             /* times it woke a radio */
    uint64_t first_ns, last_ns; /* monotonic, of the first and the last chunk */
};

enum medium_event { MEDIUM_CHUNK, MEDIUM_STOPPED, MEDIUM_EMPTY };

/* Owns the endpoint from here on. *medium is set even on failure, to be destroyed. */
int medium_create(medium_t **medium, const struct medium_settings *settings);
void medium_destroy(medium_t *medium); /* NULL allowed; removes the socket */

/* Waits until the next chunk is to be computed: every present radio has handed in (lock-step) or its time has come
 * (paced). Returns an enum medium_event or a negative error. */
int medium_gather(medium_t *medium);
tutti_tick medium_tick(const medium_t *medium);                   /* of that chunk */
const struct mixer_input *medium_input(const medium_t *medium);   /* [n_radio] */
const struct mixer_output *medium_output(const medium_t *medium); /* [n_radio] to fill */
/* Passes on what was filled in and steps to the next chunk. */
void medium_deliver(medium_t *medium);

const struct medium_counters *medium_counters(const medium_t *medium);

#endif
