/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sensing streams on the block path: of the slow clock's decision the steering vectors of every zone, with a phase that
 * is new for every block, AP and subband (sensing.phases), so that powers of several APs add at a zone. Then all APs'
 * budgets, kept here by the rule that the APs keep (stream_power_limit), so that what is recorded is what is sent; and
 * what users hear of it, taken off the predicted SINR. Create allocates, the rest does not. */
#ifndef TUTTI_CPU_NODE_ILLUMINATE_H
#define TUTTI_CPU_NODE_ILLUMINATE_H

#include "base/config.h"
#include "cpu_node/block.h"

typedef struct illuminate illuminate_t;

/* *illuminate stays NULL when the network does not sense. */
int illuminate_create(illuminate_t **illuminate, const struct config *config, const struct block_shape *shape);
void illuminate_destroy(illuminate_t *illuminate); /* NULL and half-built allowed */
/* After the solve: adds the streams of block->plan, if there is one. NULL allowed. About n_sb n_ap n_ant (n_ue +
 * n_zone) n_ue operations. */
void illuminate_execute(illuminate_t *illuminate, struct cpu_block *block);

#endif
