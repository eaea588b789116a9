/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CP-OFDM on FFTW: unitary transforms, so a subcarrier of unit power spreads n_sc / fft_size of mean-square power over
 * the samples. Plans and buffers at create; execute neither allocates nor blocks. One handle per thread. */
#ifndef TUTTI_PHY_OFDM_H
#define TUTTI_PHY_OFDM_H

#include "phy/frame.h"

typedef struct ofdm ofdm_t;

int ofdm_create(ofdm_t **ofdm, const struct frame *frame);
void ofdm_destroy(ofdm_t *ofdm);
/* samples [n_symbol_samples] -> subcarriers [n_sc]; the FFT window starts half a CP early (the phase slope is undone),
 * so timing errors of up to half a CP stay inside. */
void ofdm_demodulate(ofdm_t *ofdm, const tutti_cf32 *samples, tutti_cf32 *subcarriers);
/* Moves the window so that a signal that comes `delay_samples` after its time lies about its middle: from whole samples
 * beyond a half on, within the prefix. What ofdm_demodulate gives stays the same. No allocation; n_sc sines when it
 * moves. */
void ofdm_follow(ofdm_t *ofdm, double delay_samples);
/* subcarriers [n_sc] -> samples [n_symbol_samples], multiplied by scale. */
void ofdm_modulate(ofdm_t *ofdm, const tutti_cf32 *subcarriers, float scale, tutti_cf32 *samples);

/* FFTW's planner is one global state: whoever makes or destroys plans holds it. */
void ofdm_planner_lock(void);
void ofdm_planner_unlock(void);

#endif
