/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/precoder.h"

#include <math.h>

/* Sum over the AP's antennas of |w_mj|^2, over all active users j (want < 0) or user `want` only. */
static double ap_power_of(const struct mimo_shape *shape, const uint8_t *ue_active, const tutti_cf32 *W, int ap)
{
    double power = 0;
    const tutti_cf32 *w = W + (size_t)(ap * shape->n_ant) * (size_t)shape->n_ue;
    for (int a = 0; a < shape->n_ant; a++) {
        for (int k = 0; k < shape->n_ue; k++) {
            const tutti_cf32 v = w[a * shape->n_ue + k];
            if (!ue_active || ue_active[k]) {
                power += (double)crealf(v) * (double)crealf(v) + (double)cimagf(v) * (double)cimagf(v);
            }
        }
    }
    return power;
}

/* h_k^H w_j for all j over active APs, accumulated in double: own power and the sum of the others'. */
static void user_powers(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, int k,
                        double *own, double *others)
{
    double cr[TUTTI_MAX_UE] = {0}, ci[TUTTI_MAX_UE] = {0};
    const int n = shape->n_ue;
    for (int m = 0; m < shape->n_ap; m++) {
        if (!channel->ap_active[m]) {
            continue;
        }
        for (int r = m * shape->n_ant; r < (m + 1) * shape->n_ant; r++) {
            const tutti_cf32 h = channel->H_hat[(size_t)r * (size_t)n + (size_t)k];
            const double hr = (double)crealf(h), hi = (double)cimagf(h);
            const tutti_cf32 *w = W + (size_t)r * (size_t)n;
            for (int j = 0; j < n; j++) {
                cr[j] += hr * (double)crealf(w[j]) + hi * (double)cimagf(w[j]);
                ci[j] += hr * (double)cimagf(w[j]) - hi * (double)crealf(w[j]);
            }
        }
    }
    for (int j = 0; j < n; j++) {
        const double gain = cr[j] * cr[j] + ci[j] * ci[j];
        if (j == k) {
            *own = gain;
        } else if (channel->ue_active[j]) {
            *others += gain;
        }
    }
}

void mimo_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, float *sinr)
{
    double power[TUTTI_MAX_AP];
    for (int m = 0; m < shape->n_ap; m++) {
        power[m] = channel->ap_active[m] ? ap_power_of(shape, channel->ue_active, W, m) : 0;
    }
    for (int k = 0; k < shape->n_ue; k++) {
        sinr[k] = 0;
        if (!channel->ue_active[k]) {
            continue;
        }
        double own = 0, others = 0;
        user_powers(shape, channel, W, k, &own, &others);
        for (int m = 0; m < shape->n_ap; m++) {
            if (channel->ap_active[m]) {
                others += (double)channel->error_variance[(size_t)m * (size_t)shape->n_ue + (size_t)k] * power[m];
            }
        }
        sinr[k] = (float)(own / (others + 1));
    }
}

float mimo_power_use(const struct mimo_shape *shape, const float *ap_power, const tutti_cf32 *W)
{
    double use = 0;
    for (int m = 0; m < shape->n_ap; m++) {
        const double power = ap_power_of(shape, NULL, W, m);
        if (power > 0) {
            use = fmax(use, ap_power[m] > 0 ? power / (double)ap_power[m] : INFINITY);
        }
    }
    return (float)use;
}
