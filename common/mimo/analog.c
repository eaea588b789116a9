/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/analog.h"

#include <math.h>
#include <string.h>

void analog_beam(const struct mimo_shape *shape, const struct mimo_channel *channel, int user, tutti_cf32 *W)
{
    static const float ROUNDING = 1.0f - 4e-7f; /* single precision must not exceed the budget */
    const int n_ant = shape->n_ant, n_ue = shape->n_ue;
    memset(W, 0, (size_t)(shape->n_ap * n_ant * n_ue) * sizeof *W);
    for (int m = 0; m < shape->n_ap; m++) {
        const float amplitude = channel->ap_active[m] ? ROUNDING * sqrtf(channel->ap_power[m] / (float)n_ant) : 0;
        for (int a = 0; a < n_ant; a++) {
            const int at = (m * n_ant + a) * n_ue + user;
            const tutti_cf32 h = channel->H_hat[at];
            const float size = cabsf(h);
            W[at] = size > 0 ? amplitude / size * h : amplitude;
        }
    }
}
