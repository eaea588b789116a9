/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slow clock: one thread off the block path that sees every block's large-scale figures and decides what changes
 * slower than the channel: who is served (cpu_node/scheduler.h), pilots and clusters (cpu_node/clusters_live.h), the
 * powers of the resilience controller (cpu_node/recovery.h), who illuminates zones (cpu_node/sensing.h), those that
 * follow from tracked gains or averages (cpu_node/powers.h). The record thread feeds it, after the attack detector; the
 * block thread takes powers and rosters at a block's boundary and never waits for them, except in lock-step, where
 * nothing may depend on the machine's speed.
 */
#ifndef TUTTI_CPU_NODE_SLOW_H
#define TUTTI_CPU_NODE_SLOW_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "node/roster.h"
#include "phy/frame.h"

enum { SLOW_EVENT_BYTES = 160 };

struct slow_settings {
    const struct config *config; /* these outlive it */
    const struct frame *frame;
    struct block_shape shape;
    bool lockstep;
};
typedef struct slow slow_t;

/* *slow stays NULL when the configuration asks for nothing that it does. */
int slow_create(slow_t **slow, const struct slow_settings *settings);
int slow_start(slow_t *slow); /* NULL allowed in all of these */
void slow_stop(slow_t *slow);
void slow_destroy(slow_t *slow);

/* Record thread. power [n_ap][n_ue], suspected [n_ue]; NULL: a block that is not part of the run. */
void slow_hear(slow_t *slow, const struct cpu_block *block, const double *power, const uint8_t *suspected);
/* Record thread: the next line for the time line; false: none. */
bool slow_event(slow_t *slow, uint64_t *block, char text[SLOW_EVENT_BYTES]);

/* Record thread: the controller's predicted gap of the next block, NaN = none yet; false: no block is through. */
bool slow_gap(slow_t *slow, uint64_t *block, double *gap);

/* Whether a configuration asks for powers of the slow clock. */
bool slow_has_powers(const struct config *config);
/* Block thread, before the block is solved, APs and users known: its power and powered; not powered = none chosen yet
 * for all of these APs and users. */
void slow_powers(slow_t *slow, struct cpu_block *block);
/* Block thread: the next roster to be told, NULL = none; then slow_roster_taken. In lock-step both wait for the slow
 * thread as slow_powers does. */
const struct roster *slow_roster(slow_t *slow);
void slow_roster_taken(slow_t *slow);
/* With clusters: which access point serves whom from that roster's block on, [n_ap][n_ue]. */
const uint8_t *slow_roster_serves(const slow_t *slow, const struct roster *roster);
/* Block thread: a block has gone to the record thread. */
void slow_expect(slow_t *slow);

#endif
