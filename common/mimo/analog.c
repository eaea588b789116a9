/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/analog.h"

#include <math.h>
#include <string.h>

void analog_beam(const struct mimo_shape *shape, const struct mimo_channel *channel, int user, tutti_cf32 *W)
{
    static const double ROUNDING = 1 - 4e-7; /* single precision must not exceed the budget */
    const size_t n_ant = (size_t)shape->n_ant, n_ue = (size_t)shape->n_ue;
    memset(W, 0, (size_t)shape->n_ap * n_ant * n_ue * sizeof *W);
    for (size_t m = 0; m < (size_t)shape->n_ap; m++) {
        const double budget = channel->ap_active[m] ? (double)channel->ap_power[m] : 0;
        const double amplitude = ROUNDING * sqrt(budget / (double)n_ant);
        for (size_t a = 0; a < n_ant; a++) {
            const size_t at = (m * n_ant + a) * n_ue + (size_t)user;
            const double complex h = channel->H_hat[at];
            const double size = cabs(h); /* in double even the smallest float has a phase */
            W[at] = (tutti_cf32)(size > 0 ? amplitude / size * h : amplitude);
        }
    }
}
