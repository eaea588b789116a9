/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How good equalised data symbols are, measured against what was sent. No allocation, no state. */
#ifndef TUTTI_PHY_QUALITY_H
#define TUTTI_PHY_QUALITY_H

#include "phy/subband.h"

/* The caller's room. */
struct quality_work {
    struct subband_rows rows, factor;
    double *sums, *cross, *power; /* [2][n_sb] each */
};
struct quality {
    double sinr; /* linear: signal power over error power, both summed over subbands with their weights */
    double evm;  /* fraction */
};

/* y = g s + e with g the least-squares gain of every subband: the fit takes one degree of freedom from the error and
 * adds error / n to the signal, both undone. y, s [n_symbol][n_sc]; weight [n_sb]: a subband's power before equalising,
 * NULL = all alike. */
struct quality quality_measure(const struct frame *frame, const struct simd_ops *simd, int n_symbol,
                               const tutti_cf32 *y, const tutti_cf32 *s, const double *weight,
                               const struct quality_work *work);

#endif
