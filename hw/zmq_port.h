/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One antenna as GNU Radio and srsRAN exchange samples over ZeroMQ: whoever transmits binds a REP socket, whoever
 * receives connects a REQ socket and asks; a reply is one frame of raw interleaved little-endian cf32, without time,
 * rate or channel. A port is such a pair: it hands samples out (bound) and asks for samples (connected).
 *
 * Right for all three dialects: it asks with the number of samples that are missing as u32 (GNU Radio; srsRAN reads a
 * byte and ignores the rest), takes replies of any multiple of 8 bytes, empty ones and, up to a limit, longer ones than
 * asked for; it answers a request of 4 bytes with at most so many samples (GNU Radio) and any other with what it has.
 * A request that comes too early waits. Anything else is a bad peer. Never blocks; one thread; no buffers of its own
 * beyond the surplus. */
#ifndef TUTTI_HW_ZMQ_PORT_H
#define TUTTI_HW_ZMQ_PORT_H

#include "base/types.h"

#include <zmq.h>

typedef struct zmq_port zmq_port_t;

struct zmq_port_settings {
    void *context;       /* of ZeroMQ, the caller's */
    const char *give_at; /* tcp://ADDRESS:PORT that is bound */
    const char *take_at; /* and the one that is connected to */
    int max_samples;     /* longest piece offered or wanted; also the longest surplus that is kept */
};

/* The port owns its sockets from here on; *port is set even on failure, to be destroyed. TUTTI_EIO names the endpoint.
 */
int zmq_port_create(zmq_port_t **port, const struct zmq_port_settings *settings);
void zmq_port_destroy(zmq_port_t *port); /* NULL allowed */

/* The next n samples to hand out, and where the next n that arrive shall go. Memory stays the caller's until done. What
 * is left of an earlier piece is forgotten; surplus samples that came early are put in first. NULL: nothing to hand
 * out, or nothing wanted, this time. */
void zmq_port_begin(zmq_port_t *port, const tutti_cf32 *give, tutti_cf32 *take, int n);
/* A little further without waiting. 0, TUTTI_ECLOSED: the other end is gone, TUTTI_EFORMAT: it does not keep to the
 * rules (error_text says how). After either, zmq_port_restart. */
int zmq_port_turn(zmq_port_t *port);
bool zmq_port_done(const zmq_port_t *port);
int zmq_port_given(const zmq_port_t *port); /* of this piece */
int zmq_port_taken(const zmq_port_t *port);
/* The other end begins anew: what it had asked for is answered with nothing, for it may be gone and take samples with
 * it; what was asked of it is forgotten, and so is surplus. zmq_port_begin follows. TUTTI_EIO. */
int zmq_port_restart(zmq_port_t *port);
/* Anything moved since the port was made. */
uint64_t zmq_port_bytes(const zmq_port_t *port);

/* What to wait for before the next turn: up to 4 items; returns how many. */
enum { ZMQ_PORT_ITEMS = 4 };
int zmq_port_items(const zmq_port_t *port, zmq_pollitem_t items[ZMQ_PORT_ITEMS]);

#endif
