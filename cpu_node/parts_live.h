/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With several central nodes: the weights of this one's part of every user's downlink (common/mimo/parts.h). Each
 * learns what its own part does, tells the others now and then, and computes all weights from what all have told:
 * figures count for everybody from the same block on, told well ahead of it. A helper sends nothing to a user before
 * its own and the home's figures are known; a central node that has gone is forgotten, and learnt anew when it is back.
 * Block thread; create allocates, parts_live_told as well, nothing else does. */
#ifndef TUTTI_CPU_NODE_PARTS_LIVE_H
#define TUTTI_CPU_NODE_PARTS_LIVE_H

#include "cpu_node/block.h"

#include <jansson.h>

enum { PARTS_LIVE_FIRST_BLOCKS = 20 }; /* after so many blocks figures are told for the first time */

struct parts_live_settings {
    int n_cpu, n_ue, self;
    uint64_t every_blocks, lead_blocks; /* figures are of so many blocks; they count so much later */
};
typedef struct parts_live parts_live_t;

int parts_live_create(parts_live_t **parts, const struct parts_live_settings *settings); /* TUTTI_ENOMEM */
void parts_live_destroy(parts_live_t *parts); /* NULL and half-built allowed */

/* Another one came or went. NULL allowed. */
void parts_live_alive(parts_live_t *parts, int cpu, bool up);
/* Before block->number is solved, to block->part->weight: serves [n_cpu][n_ue] by the homes' rule, home [n_ue] or
 * negative where a user has none: then all that serve it send with weight 1. */
void parts_live_turn(parts_live_t *parts, const uint8_t *serves, const int *home, struct cpu_block *block);
/* After the precoders have gone: what the solve left in block->part is learnt, then becomes what is sent, weights in
 * it. */
void parts_live_learn(parts_live_t *parts, struct cpu_block *block);
/* A control line for all others, when it is time for one or somebody has come: the caller frees it; NULL: not now. */
char *parts_live_told(parts_live_t *parts);
/* Another one's; false: not a possible one, nothing changed. Figures that count from a block on that is further ahead
 * than any can be wait for it like others, and are counted; the next ones take their place. */
bool parts_live_hear(parts_live_t *parts, int cpu, const json_t *root);
uint64_t parts_live_far(const parts_live_t *parts); /* so many lines; NULL allowed */

#endif
