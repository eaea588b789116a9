/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/delay.h"

#include <math.h>

/* Neighbours turned by noise alone leave little of their power; many times more says that somebody began to send, and
 * what noise made of the average before is not to lean on it for another 16 blocks. */
static const double BEGINS = 4;

void delay_start(struct delay *delay, const struct frame *frame)
{
    *delay = (struct delay){.fft_size = frame->fft_size};
}

void delay_row(const struct frame *frame, const tutti_cf32 *y, const tutti_cf32 *unscramble, double complex *turn,
               double *power)
{
    const int dc = frame->n_sc / 2; /* between dc - 1 and dc there is one spacing more */
    tutti_cf32 before = 0;
    double re = 0, im = 0, sum = 0;
    for (int i = 0; i < frame->n_sc; i++) {
        const tutti_cf32 z = y[i] * unscramble[i], product = conjf(before) * z;
        sum += (double)(crealf(z) * crealf(z) + cimagf(z) * cimagf(z));
        if (i > 0 && i != dc) {
            re += (double)crealf(product);
            im += (double)cimagf(product);
        }
        before = z;
    }
    *turn += CMPLX(re, im);
    *power += sum;
}

void delay_add(struct delay *delay, double complex turn, double power)
{
    const double complex relative = turn / power;
    if (!(power > 0) || !isfinite(creal(relative)) || !isfinite(cimag(relative))) {
        return;
    }
    if (cabs(relative) > BEGINS * cabs(delay->turn)) {
        delay->turn = delay->count = 0;
    }
    delay->count += delay->count < DELAY_BLOCKS;
    delay->turn += (relative - delay->turn) / (double)delay->count;
}

void delay_move(struct delay *delay, double earlier_samples)
{
    delay->turn *= cexp(-2 * I * M_PI * earlier_samples / delay->fft_size);
}

double delay_samples(const struct delay *delay)
{
    return delay->count ? -carg(delay->turn) * delay->fft_size / (2 * M_PI) : 0;
}
