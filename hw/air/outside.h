/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A medium that somebody else computes: a GNU Radio flowgraph, or anything that speaks its ZeroMQ (hw/zmq_port.h). Of
 * every chunk all transmitted samples are offered and all received ones collected before time goes on, antenna by
 * antenna; sample 0 of a port is the chunk's first. When the other side leaves, all sockets begin anew and the chunk is
 * offered again from its first sample: none is delivered twice or half. Takes the place of the mixer. One thread. */
#ifndef TUTTI_AIR_OUTSIDE_H
#define TUTTI_AIR_OUTSIDE_H

#include "hw/air/mixer.h"

typedef struct outside outside_t;

struct outside_counters {
    uint64_t restarts, stalls, bad_peers, not_finite; /* not_finite: samples */
};

/* Opens every port: radios in order, antennas inside a radio. Writes air.zmq.links: ports, gains and noise of block 0.
 * *outside is set even on failure, to be destroyed. */
int outside_create(outside_t **outside, const struct config *config, struct links *links, int chunk);
void outside_destroy(outside_t *outside); /* NULL allowed */

/* Blocks until the chunk is through. TUTTI_ESTOPPED on a stop request. A side that holds samples back is named after
 * air.zmq.stall_ms, and every 10 s from then on. */
int outside_execute(outside_t *outside, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out);

const struct outside_counters *outside_counters(const outside_t *outside);

#endif
