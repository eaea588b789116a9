/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/delay.h"

#include <math.h>

/* Added to 1 - coherence^2: no block weighs more than 20, so that a change is followed. */
static const double DOUBT = 0.05;

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

/* The phase of a mean of N products whose coherence is c has at least the variance (1 - c^2) / (2 N c^2); blocks weigh
 * by its inverse. */
void delay_add(struct delay *delay, double complex turn, double power)
{
    const double complex relative = turn / power;
    if (!(power > 0) || !isfinite(creal(relative)) || !isfinite(cimag(relative))) {
        return;
    }
    const double squared = creal(relative) * creal(relative) + cimag(relative) * cimag(relative);
    const double weight = squared / (1 - fmin(squared, 1) + DOUBT);
    delay->turn += weight * relative - delay->turn / DELAY_BLOCKS;
}

void delay_move(struct delay *delay, double earlier_samples)
{
    delay->turn *= cexp(-2 * I * M_PI * earlier_samples / delay->fft_size);
}

double delay_samples(const struct delay *delay)
{
    return -carg(delay->turn) * delay->fft_size / (2 * M_PI);
}
