/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The delay of what is received against the FFT window that makes subcarriers of it, from the turn between neighbouring
 * subcarriers, over antennas, symbols and the last blocks. Blocks weigh by how well their neighbours agree, and those
 * far from most others do not count: noise, bursts cut off, and what is sent before anybody's channel is known. With
 * several paths or senders it is their mean, by power. Plain data; no allocation. */
#ifndef TUTTI_PHY_DELAY_H
#define TUTTI_PHY_DELAY_H

#include "phy/frame.h"

enum { DELAY_BLOCKS = 32 }; /* that are remembered */

struct delay {
    double samples[DELAY_BLOCKS], weight[DELAY_BLOCKS]; /* of the last blocks; weight 0: not seen yet */
    int next;                                           /* the oldest, whose place the next block takes */
    double middle_samples;                              /* of them all */
    int fft_size;
};

void delay_start(struct delay *delay, const struct frame *frame);
/* Products of neighbours of one row of subcarriers, known symbols taken off: y [n_sc], times conj(known) [n_sc]. Adds
 * to *turn, and to *power what |*turn| would be if all turned alike; pairs around DC are no neighbours. */
void delay_row(const struct frame *frame, const tutti_cf32 *y, const tutti_cf32 *unscramble, double complex *turn,
               double *power);
/* One block's sums. Not finite or nothing there: passed over. About 1 us. */
void delay_add(struct delay *delay, double complex turn, double power);
/* The windows begin so many samples earlier from now on. */
void delay_move(struct delay *delay, double earlier_samples);
/* Samples that the signal comes later than the window, -n_fft/2 .. n_fft/2; 0 before the first block. */
double delay_samples(const struct delay *delay);

/* All of it as numbers, and back; numbers that cannot be are not taken. */
enum { DELAY_HISTORY = 2 * DELAY_BLOCKS + 1 };
void delay_keep(const struct delay *delay, double values[DELAY_HISTORY]);
void delay_recall(struct delay *delay, const double values[DELAY_HISTORY]);

#endif
