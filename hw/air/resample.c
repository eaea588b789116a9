/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/resample.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 256 }; /* between them a straight line: -104 dB */
static const double BETA = 8;

/* Modified Bessel function of order 0, its power series. */
static double bessel_i0(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 40; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/* Taps of a delay of RESAMPLE_LEAST + fraction, their sum 1. */
static void fill(double fraction, float *h)
{
    double value[RESAMPLE_TAPS], sum = 0;
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        const double x = k - RESAMPLE_LEAST - fraction, at = x / (0.5 * RESAMPLE_TAPS);
        const double sinc = fabs(x) < 1e-9 ? 1 : sin(M_PI * x) / (M_PI * x);
        value[k] = sinc * bessel_i0(BETA * sqrt(fmax(0, 1 - at * at)));
        sum += value[k];
    }
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        h[k] = (float)(value[k] / sum);
    }
}

int resample_create(struct resample *r)
{
    *r = (struct resample){.ops = convolve_get()};
    r->table = calloc((STEPS + 1) * (size_t)RESAMPLE_TAPS, sizeof *r->table);
    if (!r->table) {
        return error_set(TUTTI_ENOMEM, "no memory for a table of delays");
    }
    for (int i = 0; i <= STEPS; i++) {
        fill((double)i / STEPS, r->table + i * RESAMPLE_TAPS);
    }
    return TUTTI_OK;
}

void resample_destroy(struct resample *r)
{
    free(r->table);
    *r = (struct resample){0};
}

int resample_back(double delay_samples)
{
    return (int)floor(delay_samples) - RESAMPLE_LEAST + RESAMPLE_TAPS - 1;
}

void resample_execute(const struct resample *r, double delay_samples, int n, const tutti_cf32 *x, tutti_cf32 *y)
{
    struct convolve_source source[RESAMPLE_TAPS];
    const double place = STEPS * (delay_samples - floor(delay_samples));
    const int step = (int)place < STEPS ? (int)place : STEPS - 1;
    const float rest = (float)(place - step), *const h = r->table + step * RESAMPLE_TAPS;
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        const float gain = h[k] + rest * (h[k + RESAMPLE_TAPS] - h[k]);
        source[k] = (struct convolve_source){x + RESAMPLE_TAPS - 1 - k, gain};
    }
    r->ops->add(n, RESAMPLE_TAPS, source, true, y);
}
