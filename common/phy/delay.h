/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The delay of what is received against the FFT window that makes subcarriers of it, from the turn between neighbouring
 * subcarriers, averaged over antennas, symbols and the last blocks, each by how well its neighbours agree: blocks in
 * which nobody sent, or hardly, do not count. With several paths or senders it is their mean, by power. Plain data; no
 * allocation. */
#ifndef TUTTI_PHY_DELAY_H
#define TUTTI_PHY_DELAY_H

#include "phy/frame.h"

enum { DELAY_BLOCKS = 16 }; /* that the average remembers */

struct delay {
    double complex turn; /* weighted sum of blocks' products of neighbours, per power; 0: nothing seen */
    int fft_size;
};

void delay_start(struct delay *delay, const struct frame *frame);
/* Products of neighbours of one row of subcarriers, known symbols taken off: y [n_sc], times conj(known) [n_sc]. Adds
 * to *turn, and to *power what |*turn| would be if all turned alike; pairs around DC are no neighbours. */
void delay_row(const struct frame *frame, const tutti_cf32 *y, const tutti_cf32 *unscramble, double complex *turn,
               double *power);
/* One block's sums. Not finite or nothing there: passed over. */
void delay_add(struct delay *delay, double complex turn, double power);
/* The windows begin so many samples earlier from now on. */
void delay_move(struct delay *delay, double earlier_samples);
/* Samples that the signal comes later than the window, -n_fft/2 .. n_fft/2; 0 before the first block. */
double delay_samples(const struct delay *delay);

#endif
