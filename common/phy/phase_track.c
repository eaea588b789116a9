/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/phase_track.h"

#include <math.h>

static const double ALPHA = 0.9, BETA = 0.35;

void phase_track_start(struct phase_track *track, int bits_per_symbol, double frequency_rad)
{
    const int levels = 1 << (bits_per_symbol / 2);
    *track = (struct phase_track){
        .frequency_rad = frequency_rad, .axis_levels = levels, .unit = sqrt(1.5 / ((double)levels * levels - 1))};
}

/* The nearest level; levels are odd multiples of the unit. */
static float decide(const struct phase_track *track, float x)
{
    const float unit = (float)track->unit, most = (float)(track->axis_levels - 1);
    const float level = 2 * rintf((x / unit - 1) / 2) + 1;
    return unit * fminf(fmaxf(level, -most), most);
}

static void turn(int n_sc, double angle_rad, tutti_cf32 *y)
{
    const tutti_cf32 r = CMPLXF(cos(angle_rad), sin(angle_rad));
    for (int i = 0; i < n_sc; i++) {
        y[i] *= r;
    }
}

void phase_track_symbol(struct phase_track *track, int n_sc, const float *weight, double since, tutti_cf32 *y)
{
    const double predicted = track->phase_rad + track->frequency_rad * since;
    double re = 0, im = 0;
    turn(n_sc, -predicted, y);
    for (int i = 0; i < n_sc; i++) {
        const float yr = crealf(y[i]), yi = cimagf(y[i]), w = weight ? weight[i] : 1;
        const float sr = w * decide(track, yr), si = w * decide(track, yi);
        re += (double)(sr * yr + si * yi);
        im += (double)(sr * yi - si * yr);
    }
    const double error = re != 0 || im != 0 ? atan2(im, re) : 0;
    if (!isfinite(error)) { /* a lost symbol must not spoil the others */
        track->phase_rad = predicted;
        return;
    }
    track->phase_rad = predicted + ALPHA * error;
    track->frequency_rad += BETA * error / since;
    turn(n_sc, -ALPHA * error, y);
}
