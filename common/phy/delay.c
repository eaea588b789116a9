/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/delay.h"

#include <math.h>
#include <string.h>

static const double DOUBT = 0.05; /* added to 1 - coherence^2: no block weighs more than 20 */
static const double NEAR = 5;     /* median deviations from the median that a block may have */
static const double ALIKE = 1e-3; /* samples that are no difference: 54 dB over a subband of 12 of 128 */

void delay_start(struct delay *delay, const struct frame *frame)
{
    *delay = (struct delay){.fft_size = frame->fft_size};
}

void delay_row(const struct frame *frame, const tutti_cf32 *y, const tutti_cf32 *unscramble, double complex *turn,
               double *power)
{
    const int dc = frame->n_sc / 2; /* between dc - 1 and dc there is one spacing more */
    tutti_cf32 before = 0;
    double re = 0, im = 0, sum = 0, last = 0;
    for (int i = 0; i < frame->n_sc; i++) {
        const tutti_cf32 z = y[i] * unscramble[i], product = conjf(before) * z;
        const double own = (double)(crealf(z) * crealf(z) + cimagf(z) * cimagf(z));
        if (i > 0 && i != dc) {
            re += (double)crealf(product);
            im += (double)cimagf(product);
            sum += (own + last) / 2;
        }
        before = z;
        last = own;
    }
    *turn += CMPLX(re, im);
    *power += sum;
}

/* The value that has half of the weight on either side. */
static double weighted_median(const double *values, const double *weights)
{
    double value[DELAY_BLOCKS], weight[DELAY_BLOCKS], sum = 0, below = 0;
    for (int i = 0; i < DELAY_BLOCKS; i++) {
        int at = i;
        for (; at > 0 && value[at - 1] > values[i]; at--) {
            value[at] = value[at - 1];
            weight[at] = weight[at - 1];
        }
        value[at] = values[i];
        weight[at] = weights[i];
        sum += weights[i];
    }
    int i = 0;
    while (i < DELAY_BLOCKS - 1 && below + weight[i] < sum / 2) {
        below += weight[i++];
    }
    return value[i];
}

/* The mean of those near the median. */
static double middle_of(const struct delay *d)
{
    const double median = weighted_median(d->samples, d->weight);
    double off[DELAY_BLOCKS], sum = 0, weight = 0;
    for (int i = 0; i < DELAY_BLOCKS; i++) {
        off[i] = fabs(d->samples[i] - median);
    }
    const double near = NEAR * weighted_median(off, d->weight) + ALIKE;
    for (int i = 0; i < DELAY_BLOCKS; i++) {
        const double w = off[i] <= near ? d->weight[i] : 0;
        sum += w * (d->samples[i] - median);
        weight += w;
    }
    return weight > 0 ? median + sum / weight : median;
}

/* The phase of a mean of N products whose coherence is c has at least the variance (1 - c^2) / (2 N c^2); blocks weigh
 * by its inverse. */
void delay_add(struct delay *delay, double complex turn, double power)
{
    const double complex relative = turn / power;
    const double squared = creal(relative) * creal(relative) + cimag(relative) * cimag(relative);
    if (!(power > 0) || !isfinite(squared)) {
        return;
    }
    delay->samples[delay->next] = -carg(relative) * delay->fft_size / (2 * M_PI);
    delay->weight[delay->next] = squared / (1 - fmin(squared, 1) + DOUBT);
    delay->next = (delay->next + 1) % DELAY_BLOCKS;
    delay->middle_samples = middle_of(delay);
}

void delay_move(struct delay *delay, double earlier_samples)
{
    for (int i = 0; i < DELAY_BLOCKS; i++) {
        delay->samples[i] += delay->weight[i] > 0 ? earlier_samples : 0;
    }
    delay->middle_samples = middle_of(delay);
}

double delay_samples(const struct delay *delay)
{
    return delay->middle_samples;
}

void delay_keep(const struct delay *delay, double values[DELAY_HISTORY])
{
    memcpy(values, delay->samples, sizeof delay->samples);
    memcpy(values + DELAY_BLOCKS, delay->weight, sizeof delay->weight);
    values[2 * DELAY_BLOCKS] = delay->next;
}

void delay_recall(struct delay *delay, const double values[DELAY_HISTORY])
{
    const double next = values[2 * DELAY_BLOCKS];
    for (int i = 0; i < DELAY_BLOCKS; i++) {
        const double samples = values[i], weight = values[DELAY_BLOCKS + i];
        const bool good = fabs(samples) <= delay->fft_size && weight > 0 && weight <= 1 / DOUBT;
        delay->samples[i] = good ? samples : 0;
        delay->weight[i] = good ? weight : 0;
    }
    delay->next = next >= 0 && next < DELAY_BLOCKS ? (int)next : 0;
    delay->middle_samples = middle_of(delay);
}
