/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The solve of a block: subbands in parallel over the workers, each an equal run of neighbours; then the share of
 * artificial noise and the list of streams. Worker 0 is the calling thread. */
#ifndef TUTTI_CPU_NODE_SOLVE_H
#define TUTTI_CPU_NODE_SOLVE_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "mimo/precoder.h"

struct solver_settings {
    struct block_shape shape;
    const struct frame *frame;                /* read at create only */
    const struct config_precoding *precoding; /* outlive the solver */
    const struct config_engine *engine;
};
typedef struct solver solver_t;

/* Streams beside the users' that a configuration may need. */
int solver_extra_streams(const struct config_precoding *precoding);
int solver_create(solver_t **solver, const struct solver_settings *settings);
void solver_destroy(solver_t *solver); /* ends the workers; NULL and half-built allowed */
/* Subbands that one worker solves. */
int solver_n_each(const solver_t *solver);
/* When to be through (monotonic; 0 = no limit): the optimum stops before data_ns with the best so far, phase-only noise
 * before all_ns; where it is not found by then the block goes without. */
struct solver_deadline {
    uint64_t data_ns, all_ns;
};
/* block->scheme, stepped_down, user_alive, user_used and powered are set; fills streams, sinr, bound, reason, an_share.
 * No heap, locks or formatting. */
void solver_execute(solver_t *solver, struct cpu_block *block, const struct solver_deadline *deadline);
/* What interpolation between subbands costs, off block->sinr: once, when the precoders have gone; nobody waits for it.
 */
void solver_predict(solver_t *solver, struct cpu_block *block);
/* How long the last block's phase-only noise took the slowest worker; part of block->solve_ns. */
uint64_t solver_noise_ns(const solver_t *solver);

#endif
