/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The links of one central node with the others (docs/several-cpus.md). Each pair has one: the lower id's fronthaul hub
 * lets the higher id in as role `cpu`, whose end is a peer in a thread of its own. On it go control lines (JSON) and
 * data messages (wire.h, type uplink with node = 512 + central node), in the order in which they were handed over:
 * what the block thread told before the uplink thread was given a block arrives before that block's part.
 *
 * Threads: partners_send is the uplink thread's, partners_alive anybody's, all else the block thread's, callbacks
 * included. Nothing blocks. */
#ifndef TUTTI_CPU_NODE_PARTNERS_H
#define TUTTI_CPU_NODE_PARTNERS_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "cpu_node/schedule.h"
#include "fronthaul/hub.h"

#include <jansson.h>

/* Who is alive and how strong is told every so many blocks. */
enum { PARTNERS_EVERY_BLOCKS = 4 };

struct partners_handlers {
    void *context;
    /* A partner came or went: its run over, its connection broken or silent for too long. */
    void (*change)(void *context, int cpu, bool up);
    /* Sums of gains [n_ue] of a block, a partner's or this one's own; NULL: nobody asks. */
    void (*gains)(void *context, int cpu, uint64_t block, const double *sums);
    /* A control line that is not of this file's own (alive, gains): root is its object, type its "type". */
    void (*control)(void *context, int cpu, const char *type, const json_t *root);
    /* A data message; bytes as they came, not looked at: whoever reads them refuses what is not right. */
    void (*data)(void *context, int cpu, const uint8_t *data, size_t n_bytes);
};

struct partners_settings {
    const struct config *config; /* outlives it */
    const char *agreement;       /* copied */
    int id;                      /* this central node */
    size_t data_bytes;           /* the longest data message; 0: none are sent */
    struct partners_handlers handlers;
};
typedef struct partners partners_t;

/* NULL stays NULL in everything below where there is one central node. TUTTI_ENOMEM, what fh_peer_create says. */
int partners_create(partners_t **partners, const struct partners_settings *settings);
int partners_start(partners_t *partners, fh_hub_t *hub); /* the hub is this node's own and outlives it */
void partners_stop(partners_t *partners);                /* after rt_stop_request; sends what waits; once is enough */
void partners_destroy(partners_t *partners);             /* NULL and half-built allowed */

/* Handles what has come and sends what waits; call it whenever partners_event is readable, and often enough anyway. */
void partners_turn(partners_t *partners);
int partners_event(const partners_t *partners); /* descriptor to be watched; -1 without partners */
/* An event of the hub with role FH_ROLE_CPU. */
void partners_hear(partners_t *partners, const struct fh_event *event);
/* A block has been solved: now and then tells the partners who is alive (central node 0) and the sums of gains. user:
 * [n_ue]; O(n_ap n_ue). */
void partners_block(partners_t *partners, const struct cpu_block *block, const struct schedule_user *user);

bool partners_alive(const partners_t *partners, int cpu); /* itself: yes */
/* All others have been there at least once. */
bool partners_complete(const partners_t *partners);
/* Central node 0 has ended the run: there are no users any more. */
bool partners_over(const partners_t *partners);
/* Sums of large-scale gains of its own access points per user, [n_ue] linear, downlink units, its own too; NULL: it is
 * not there or has not told any yet. Valid until partners_turn. */
const double *partners_gains(const partners_t *partners, int cpu);
/* Who is alive by central node 0's word, [n_ue]; nobody while that is not there. */
void partners_users(const partners_t *partners, struct schedule_user *user);

/* A control line ({"type":...) to one partner, or to all that are there. TUTTI_EAGAIN: not there, or no room; counted.
 */
int partners_tell(partners_t *partners, int cpu, const char *json);
void partners_tell_all(partners_t *partners, const char *json);
/* Uplink thread: a data message, copied. TUTTI_EAGAIN as above. */
int partners_send(partners_t *partners, int cpu, const uint8_t *data, size_t n_bytes);

uint64_t partners_refused(const partners_t *partners); /* lines of gains and of who is alive that cannot be */
void partners_log_counters(const partners_t *partners);

#endif
