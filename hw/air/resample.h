/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples later by a part of one: what a radio's clock that is off by that, or drifts, does to them. A sinc in a Kaiser
 * window (beta 8) of 12 taps: within -69 dB of a delay up to 0.29 of the sample rate either side of the carrier (a band
 * of 72 of 128 subcarriers), -29 dB at 0.35. No allocation after create. */
#ifndef TUTTI_AIR_RESAMPLE_H
#define TUTTI_AIR_RESAMPLE_H

#include "hw/air/convolve.h"

enum {
    RESAMPLE_TAPS = 12,
    RESAMPLE_LEAST = 5, /* samples of delay */
};

struct resample {
    const struct convolve_ops *ops;
    float *table; /* [steps + 1][RESAMPLE_TAPS] by fractions */
};

int resample_create(struct resample *resample);
void resample_destroy(struct resample *resample); /* half-built allowed */

/* Samples that the first one of y needs before its own place. */
int resample_back(double delay_samples);
/* y [n] from x [n + RESAMPLE_TAPS - 1], whose first sample is resample_back before y's, later by delay_samples >=
 * RESAMPLE_LEAST. Cost: 12 complex multiply-adds per sample. */
void resample_execute(const struct resample *resample, double delay_samples, int n, const tutti_cf32 *x, tutti_cf32 *y);

#endif
