/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How well a network comes through a disruption ("Resilient Cell-Free Massive MIMO Networks", eqs. (20)-(23)):
 * absorption, what is left at the instant it happens; adaptation, what an iterate of the power problem would give;
 * recovery, how long until it can be had. Algorithm 1 keeps the best-scored iterate, ties the earlier one. Gaps are
 * psi_metric of control/gap.h, 0 to 1. Times in any one unit. Pure; no memory. */
#ifndef TUTTI_CONTROL_RESILIENCE_H
#define TUTTI_CONTROL_RESILIENCE_H

#include "base/types.h"

struct resilience_weights {
    double absorption, adaptation, recovery; /* >= 0, sum 1 */
};

struct resilience_score {
    double adaptation, recovery, score;
};

struct resilience {
    struct resilience_weights weights;
    double desired_recovery; /* T_des > 0 */
    double absorption;
    int n;          /* candidates so far */
    int best_index; /* from 0; -1 before the first */
    struct resilience_score best;
};

/* At the disruption: gap with the powers then in use. */
void resilience_begin(struct resilience *resilience, const struct resilience_weights *weights, double desired_recovery,
                      double gap_absorbed);
/* The next candidate, its gap and the time since the disruption at which it can be on the air. True if it is the best
 * so far. */
bool resilience_candidate(struct resilience *resilience, double gap, double elapsed, struct resilience_score *score);

#endif
