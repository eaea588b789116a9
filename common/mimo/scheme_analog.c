/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase shifters only (mimo/analog.h). */
#include "mimo/analog.h"
#include "mimo/scheme.h"

int scheme_analog_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                        struct mimo_solution *solution)
{
    (void)power; /* one user has it all */
    analog_beam(&p->shape, channel, p->problem.ue[0], solution->W);
    return MIMO_REASON_ASKED;
}
