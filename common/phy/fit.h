/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Least-squares channels of known streams, subband by subband: y_m = sum_j g_mj x_j + noise over all rows (OFDM
 * symbols) and subcarriers of the subband, and the covariance of what the streams do not explain. With the data symbols
 * known this is the channel as a genie knows it, up to 1 / (rows * subcarriers). Create allocates; execute does not:
 * O(n_row n_sc (n_stream + n_ant)^2). One thread. */
#ifndef TUTTI_PHY_FIT_H
#define TUTTI_PHY_FIT_H

#include "phy/frame.h"

typedef struct fit fit_t;

/* n_row * sc_per_sb must exceed n_stream. Errors: TUTTI_EINVAL, TUTTI_ENOMEM; *fit is NULL then. */
int fit_create(fit_t **fit, const struct frame *frame, int n_ant, int n_stream, int n_row);
void fit_destroy(fit_t *fit);
/* x [n_stream][n_row][n_sc]; y [n_ant] rows of n_sc, antennas antenna_stride entries apart. Writes gains re, im
 * [n_sb][n_stream][n_ant] and the noise covariance [n_sb][n_ant][n_ant]; where the streams cannot be told apart the
 * gains are zero. */
void fit_execute(fit_t *fit, const tutti_cf32 *x, const tutti_cf32 *y, size_t antenna_stride, double *gain_re,
                 double *gain_im, double *noise_re, double *noise_im);
/* Observations less unknowns of one subband: what the covariance was divided by. */
int fit_freedom(const fit_t *fit);

#endif
