/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gathering: estimates of up to GATHER_WINDOW blocks may be in flight; blocks close in order, when every AP that takes
 * part has reported or the wait is over. An AP that is silent is left out and taken back with its next report. What
 * time it is says the block clock; gather only keeps the blocks. No sockets, no time of its own. */
#ifndef TUTTI_CPU_NODE_GATHER_H
#define TUTTI_CPU_NODE_GATHER_H

#include "cpu_node/block.h"

enum { GATHER_WINDOW = 4 };

enum gather_place {
    GATHER_PLACED,
    GATHER_LATE, /* its block is closed */
    GATHER_EARLY /* further ahead of the others than the window is long */
};

struct gather {
    int n_ap;
    double limit_us;   /* how long an open block waits, from its first estimate */
    bool wait_for_all; /* the very first block waits for every AP that is not foreign, and while held */
    bool held;         /* by the owner: until other central nodes are there */
    uint8_t *foreign;  /* [n_ap] another central node's: never comes; the owner sets it */
    bool started;
    uint64_t next, first;                    /* the oldest block not yet closed; the first of all */
    struct cpu_block *window[GATHER_WINDOW]; /* block b in place b mod GATHER_WINDOW */
    bool open[GATHER_WINDOW];
    uint8_t *alive;     /* [n_ap] connected */
    uint8_t *reporting; /* [n_ap] has sent estimates and not gone silent since */
    uint64_t n_late, n_early, n_jumped, n_incomplete;
};

/* The window's blocks are made here too. */
int gather_create(struct gather **gather, const struct block_shape *shape, double limit_us, bool wait_for_all);
void gather_destroy(struct gather *gather); /* NULL and half-built allowed */

/* The block an estimate belongs to, opened if need be, in *block. clock_now: the block clock's; the window gives up
 * what it has open to follow it, never to follow one AP. tick, session, from_ns: for a block that is opened, from_ns
 * being when the wait for the others begins: its arrival, or when the block is due (block_clock_due_ns) if an AP is
 * ahead of time; else one such AP would have every block closed before the others can report it. */
enum gather_place gather_find(struct gather *gather, int ap, uint64_t number, uint64_t clock_now, tutti_tick tick,
                              uint32_t session, uint64_t from_ns, struct cpu_block **block);
/* Time started anew: open blocks are given up. */
void gather_restart(struct gather *gather, uint64_t next);
/* The connection of an AP came or went: it takes part again with its next report. */
void gather_set_alive(struct gather *gather, int ap, bool alive);

/* The oldest open block if it is complete or its wait is over; NULL, and in *wait_us for how long (INT64_MAX: nothing
 * is open). `silent` [n_ap] gets 1 for the APs that were waited for in vain and no longer will be. */
struct cpu_block *gather_close(struct gather *gather, uint64_t now_ns, int64_t *wait_us, uint8_t *silent);
/* Puts a free block in the place of one that gather_close gave out. */
void gather_replace(struct gather *gather, const struct cpu_block *given, struct cpu_block *replacement);

#endif
