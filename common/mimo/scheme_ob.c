/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The max-min optimum (mimo/ob.h). */
#include "mimo/scheme.h"

int scheme_ob_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    const struct ob_settings settings = {.tolerance = p->settings.ob_tolerance,
                                         .max_iterations = p->settings.ob_max_iterations,
                                         .deadline_mono_ns = p->settings.deadline_mono_ns,
                                         .warm = p->settings.ob_warm};
    struct ob_result result;
    (void)power; /* always max-min */
    ob_solve(p->ob, channel, &settings, solution, &result);
    solution->sinr_bound = result.bound;
    solution->iterations = result.iterations;
    if (result.stop == OB_CONVERGED || result.stop == OB_ROUNDED || result.stop == OB_EMPTY) {
        return MIMO_REASON_ASKED;
    }
    return result.stop == OB_DEADLINE ? MIMO_REASON_DEADLINE : MIMO_REASON_ITERATIONS;
}
