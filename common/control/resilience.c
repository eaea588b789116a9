/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/resilience.h"

#include <math.h>

void resilience_begin(struct resilience *resilience, const struct resilience_weights *weights, double desired_recovery,
                      double gap_absorbed)
{
    *resilience = (struct resilience){.weights = *weights,
                                      .desired_recovery = desired_recovery,
                                      .absorption = 1 - gap_absorbed, /* (20) */
                                      .best_index = -1,
                                      .best.score = -INFINITY};
}

bool resilience_candidate(struct resilience *resilience, double gap, double elapsed, struct resilience_score *score)
{
    const struct resilience_weights *const w = &resilience->weights;
    const double desired = resilience->desired_recovery;
    score->adaptation = 1 - gap;                                  /* (21) */
    score->recovery = elapsed <= desired ? 1 : desired / elapsed; /* (22) */
    score->score = w->absorption * resilience->absorption + w->adaptation * score->adaptation +
                   w->recovery * score->recovery; /* (23) */
    const int index = resilience->n++;
    const bool best = score->score > resilience->best.score;
    if (best) {
        resilience->best = *score;
        resilience->best_index = index;
    }
    return best;
}
