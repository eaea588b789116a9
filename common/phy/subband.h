/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums, factors and covariances of whole subbands on the row operations of phy/simd.h. No allocation, no state. */
#ifndef TUTTI_PHY_SUBBAND_H
#define TUTTI_PHY_SUBBAND_H

#include "phy/frame.h"
#include "phy/simd.h"

/* Products of two rows, or a factor per subcarrier; see phy/simd.h for the two halves. */
struct subband_rows {
    float *direct, *crossed; /* [2 n_sc] */
};

void subband_clear(const struct frame *frame, const struct subband_rows *rows);
/* sum x conj(y) of each subband from accumulated products, [n_sb]; im may be NULL. */
void subband_sum(const struct frame *frame, const struct subband_rows *rows, double *re, double *im);
/* One factor for all subcarriers of a subband. */
void subband_factor(const struct frame *frame, int sb, double re, double im, const struct subband_rows *rows);
/* A factor per subcarrier, [n_sc]. */
void subband_row_factor(const struct frame *frame, const tutti_cf32 *factor, const struct subband_rows *rows);
/* sum over n_row rows of x_m conj(x_q) for every two antennas: x [n_ant][n_row][n_sc] to re, im [n_sb][n_ant][n_ant].
 * Work: rows, and sums [2 n_sb]. */
void subband_covariance(const struct frame *frame, const struct simd_ops *simd, int n_ant, int n_row,
                        const tutti_cf32 *x, const struct subband_rows *work, double *sums, double *re, double *im);

#endif
