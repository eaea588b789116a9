/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min optimum beamforming with per-AP power, the problem of [Zhou 2020], by another way. Uplink-downlink duality
 * gives for any virtual uplink powers and AP prices an upper bound that no precoder exceeds, and beams whose max-min
 * powers are a feasible precoder: the two certify each other. The prices are found by a primal-dual interior-point
 * method on the dual; a step costs about 5 M^2 K + M^3/6 multiply-adds (K users, M APs; never an L x L matrix) and 5 to
 * 8 steps reach 1e-3. Every iterate is feasible, so the solver can stop at a deadline. Create allocates, solve does not
 * allocate, lock or block. */
#ifndef TUTTI_MIMO_OB_H
#define TUTTI_MIMO_OB_H

#include "mimo/precoder.h"

typedef struct ob ob_t;

struct ob_settings {
    double tolerance;   /* stop when (bound - min_sinr) <= tolerance * bound; > 0 */
    int max_iterations; /* >= 1 */
    /* Return before this instant (CLOCK_MONOTONIC) with the best precoder so far, as long as no iteration takes 1.5
     * times as long as the one before it; 0 = none. */
    uint64_t deadline_mono_ns;
    bool warm; /* start from the last solution if users and APs are the same */
};

/* ROUNDED: the bounds met, but W in single precision keeps less (above about 130 dB of SNR). */
enum ob_stop { OB_CONVERGED, OB_ROUNDED, OB_DEADLINE, OB_ITERATIONS, OB_EMPTY };

struct ob_result {
    double min_sinr; /* least SINR of the served users, recomputed from the rounded W */
    double bound;    /* no precoder can give all served users more; holds with the rounding of its own computation */
    int iterations;  /* dual evaluations */
    enum ob_stop stop;
};

void ob_settings_default(struct ob_settings *settings); /* 1e-3, 60 iterations, no deadline, cold */

int ob_create(ob_t **ob, const struct mimo_shape *shape);
void ob_destroy(ob_t *ob);
/* Always writes a finite, feasible W. Users with a zero channel are left out (reason MIMO_REASON_ZERO_CHANNEL; the
 * result is about the others). Returns 0, or TUTTI_ENUMERIC when solution->reason is not MIMO_REASON_ASKED. */
int ob_solve(ob_t *ob, const struct mimo_channel *channel, const struct ob_settings *settings,
             struct mimo_solution *solution, struct ob_result *result);

#endif
