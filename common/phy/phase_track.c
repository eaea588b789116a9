/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/phase_track.h"

#include "phy/simd.h"

#include <math.h>

static const double ALPHA = 0.9, BETA = 0.35;

void phase_track_start(struct phase_track *track, int bits_per_symbol, double frequency_rad)
{
    const double levels = 1 << (bits_per_symbol / 2);
    *track = (struct phase_track){
        .frequency_rad = frequency_rad, .axis_bits = bits_per_symbol / 2, .unit = sqrt(1.5 / (levels * levels - 1))};
}

double phase_track_look(struct phase_track *track, int n_sc, const float *weight, double since, const tutti_cf32 *y)
{
    const double predicted = track->phase_rad + track->frequency_rad * since;
    const float back[2] = {(float)cos(predicted), (float)-sin(predicted)};
    double sum[2];
    simd_get()->qam_angle(track->axis_bits, n_sc, (float)track->unit, back, weight, (const float *)y, sum);
    const double error = sum[0] != 0 || sum[1] != 0 ? atan2(sum[1], sum[0]) : 0;
    track->phase_rad = predicted;
    if (isfinite(error)) { /* a lost symbol must not spoil the others */
        track->phase_rad += ALPHA * error;
        track->frequency_rad += BETA * error / since;
    }
    return track->phase_rad;
}

void phase_track_turn(int n_sc, double phase_rad, tutti_cf32 *y)
{
    const float back[2] = {(float)cos(phase_rad), (float)-sin(phase_rad)};
    simd_get()->rows_turn(n_sc, back, (float *)y);
}
