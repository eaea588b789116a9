/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/precoder.h"

#include <float.h>
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

enum { TILE = 4 };

/* Some neighbouring users of the sums that follow. */
struct tile {
    int first, n;
    double own[TILE], others[TILE]; /* power of the user's stream, of everything else */
};

/* |h_k^H w_j|^2 of the tile's users and the streams j .. j + TILE - 1, over the active APs. */
static void add_streams(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, int j,
                        struct tile *tile)
{
    double cr[TILE][TILE] = {{0}}, ci[TILE][TILE] = {{0}};
    const int n = shape->n_ue, n_j = n - j < TILE ? n - j : TILE;
    for (int r = 0; r < shape->n_ap * shape->n_ant; r++) {
        if (!channel->ap_active[r / shape->n_ant]) {
            continue;
        }
        const float *const h = (const float *)(channel->H_hat + (size_t)r * (size_t)n + tile->first);
        const float *const w = (const float *)(W + (size_t)r * (size_t)n + j);
        for (int a = 0; a < tile->n; a++) {
            const double hr = (double)h[2 * a], hi = (double)h[2 * a + 1];
            for (int b = 0; b < n_j; b++) {
                cr[a][b] += hr * (double)w[2 * b] + hi * (double)w[2 * b + 1];
                ci[a][b] += hr * (double)w[2 * b + 1] - hi * (double)w[2 * b];
            }
        }
    }
    for (int a = 0; a < tile->n; a++) {
        for (int b = 0; b < n_j; b++) {
            const double gain = cr[a][b] * cr[a][b] + ci[a][b] * ci[a][b];
            if (j + b == tile->first + a) {
                tile->own[a] = gain;
            } else if (channel->ue_active[j + b]) {
                tile->others[a] += gain;
            }
        }
    }
}

static void add_errors(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W,
                       struct tile *tile)
{
    for (int m = 0; m < shape->n_ap; m++) {
        const double power = channel->ap_active[m] ? ap_power_of(shape, channel->ue_active, W, m) : 0;
        for (int a = 0; a < tile->n && power > 0; a++) {
            tile->others[a] += (double)channel->error_variance[m * shape->n_ue + tile->first + a] * power;
        }
    }
}

void mimo_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, float *sinr)
{
    const int n = shape->n_ue;
    for (int k = 0; k < n; k += TILE) {
        struct tile tile = {.first = k, .n = n - k < TILE ? n - k : TILE};
        for (int j = 0; j < n; j += TILE) {
            add_streams(shape, channel, W, j, &tile);
        }
        add_errors(shape, channel, W, &tile);
        for (int a = 0; a < tile.n; a++) {
            const double value = tile.own[a] / (tile.others[a] + 1);
            sinr[k + a] = channel->ue_active[k + a] ? (float)fmin(value, (double)FLT_MAX) : 0;
        }
    }
}

float mimo_power_use(const struct mimo_shape *shape, const float *ap_power, const tutti_cf32 *W)
{
    double use = 0;
    for (int m = 0; m < shape->n_ap; m++) {
        const double power = ap_power_of(shape, NULL, W, m);
        if (!(power <= 0)) { /* NaN too */
            use = fmax(use, isnan(power) ? INFINITY : ap_power[m] > 0 ? power / (double)ap_power[m] : INFINITY);
        }
    }
    return (float)use;
}
