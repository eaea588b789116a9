/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The medium's clock and its side of the exchange: who is there, what each has handed in, when chunk c may be computed.
 * Owns the sockets; one thread. Any byte sequence from a peer at worst costs that peer its connection. */
#ifndef TUTTI_AIR_MEDIUM_H
#define TUTTI_AIR_MEDIUM_H

#include "base/config.h"
#include "base/types.h"

typedef struct medium medium_t;

struct medium_settings {
    const char *endpoint;
    int n_ap, n_ue, n_eve, n_ant, n_eve_ant; /* users have one antenna */
    double sample_rate_hz;
    int chunk;
    bool paced, wait_for_all, exit_when_empty;
    double radio_timeout_ms;
};

struct medium_counters {
    uint64_t chunks;
    uint64_t late;     /* TX chunks with signal that came after their time */
    uint64_t overflow; /* RX chunks a radio did not fetch */
    uint64_t behind;   /* paced: chunks computed later than one chunk after their time */
    uint64_t joins, leaves, refused, bad_peers, put_out;
    uint64_t first_ns, last_ns; /* monotonic, of the first and the last chunk */
};

enum medium_event { MEDIUM_CHUNK, MEDIUM_STOPPED, MEDIUM_EMPTY };

int medium_create(medium_t **medium, const struct medium_settings *settings);
void medium_destroy(medium_t *medium); /* NULL allowed; removes the socket file */

/* Waits until the next chunk is to be computed: every present radio has handed in (lock-step) or its time has come
 * (paced). Returns an enum medium_event or a negative error. */
int medium_gather(medium_t *medium);
tutti_tick medium_tick(const medium_t *medium);                /* of that chunk */
const tutti_cf32 *const *medium_input(const medium_t *medium); /* [n_radio] of [n_ant][chunk], NULL = silent */
tutti_cf32 *const *medium_output(const medium_t *medium);      /* [n_radio] to fill, NULL = nobody listens */
/* Sends what was filled in and steps to the next chunk. */
void medium_deliver(medium_t *medium);

const struct medium_counters *medium_counters(const medium_t *medium);

#endif
