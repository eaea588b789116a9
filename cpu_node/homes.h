/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With several central nodes: whose a user is. Its home fuses, decodes and records its uplink; any other central node
 * that hears it well enough helps. The home is the one with the largest sum of gains over its own APs; it hands a user
 * over itself, when another one's sum has been larger by a margin for some time, and tells all some blocks ahead, so
 * that everybody changes at the same block. Who has no home, because the network has just begun or because its home is
 * dead, gets one from the lowest living id. A central node that comes back is told how things stand; where two parts
 * of a broken network have decided differently, the lower id is right. Gains count only lead_blocks after the block
 * that they are of: what is decided does not depend on how fast a message is. What others say of blocks far from now is
 * counted, and nobody is without a home because of it: gains of such a block are left out, and so are some older than
 * those that count; an order for one stands, but counts for nothing until its block is as near as orders are (this node
 * may be behind), and one for a block that has been holds at once. Plain data, no threads, no clock; create allocates,
 * nothing else does. */
#ifndef TUTTI_CPU_NODE_HOMES_H
#define TUTTI_CPU_NODE_HOMES_H

#include "base/types.h"

enum {
    HOMES_NONE = -1,
    HOMES_AHEAD_BLOCKS = 32 /* others may be so far ahead of this node; as far as an AP (cpu_node/clock.h) */
};

struct homes_settings {
    int n_cpu, n_ue, self;
    double margin_db,
        help_db;  /* another must be so much stronger; may be so much weaker than the strongest and helps */
    bool helpers; /* false: clusters end at the border, only the home serves */
    uint64_t hold_blocks, lead_blocks;
};
/* From at_block on `to` is the home of the user. from HOMES_NONE: it had none. at_block 0: no decision, the table of
 * who tells it. */
struct homes_order {
    int user, from, to;
    uint64_t at_block;
};
typedef struct homes homes_t;

int homes_create(homes_t **homes, const struct homes_settings *settings); /* TUTTI_ENOMEM, TUTTI_EINVAL */
void homes_destroy(homes_t *homes);                                       /* NULL allowed */

/* Central node `cpu` (self too) says of `block`: sums [n_ue] over its APs, linear. */
void homes_gains(homes_t *homes, int cpu, uint64_t block, const double *sums);
/* It came or went; self is always there. */
void homes_alive(homes_t *homes, int cpu, bool alive);
/* Before block `block`, in order (a smaller one than last time: time has begun anew, what was pending is forgotten,
 * homes are not). Writes what is to be told to everybody, at most n_ue orders; returns how many. What
 * it writes it has taken itself. */
int homes_turn(homes_t *homes, uint64_t block, struct homes_order *orders);
/* For one that has just come: at most n_ue orders. */
int homes_table(const homes_t *homes, struct homes_order *orders);
/* Another one's order; false: not a possible one, nothing changed. */
bool homes_hear(homes_t *homes, int cpu, const struct homes_order *order);

struct homes_counters {
    uint64_t far_gains, old_gains;    /* left out */
    uint64_t far_orders, late_orders; /* further ahead than any can be; for a block that had been */
};
struct homes_counters homes_counters(const homes_t *homes);

/* Of this turn's block: HOMES_NONE: nobody knows yet. */
int homes_of(const homes_t *homes, int user);
/* Whether `cpu` sends to the user and combines its signals: its home does, who is near enough does (a handover changes
 * nothing of that); everybody does as long as it has no home. */
bool homes_serves(const homes_t *homes, int cpu, int user);
void homes_serves_all(const homes_t *homes, uint8_t *serves); /* [n_cpu][n_ue] */

#endif
