/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reciprocity calibration: what antenna i sends and antenna j hears is y_ij = t_i h_ij r_j + noise with h_ij = h_ji, so
 * pairs heard both ways tell f_i = r_i / t_i up to one factor common to all; c_i = 1 / f_i is what an uplink channel is
 * multiplied by to become the downlink's. Least squares: Rogalin et al., "Scalable synchronization and reciprocity
 * calibration for distributed multiuser MIMO" (IEEE TWC 13(4), 2014); maximum likelihood: Vieira et al., "Reciprocity
 * calibration for massive MIMO: proposal, modeling, and validation" (IEEE TWC 16(5), 2017), alternating. Start-up and
 * calibration runs only: allocates, double precision. */
#ifndef TUTTI_CALIB_SOLVE_H
#define TUTTI_CALIB_SOLVE_H

#include "base/types.h"

/* What was heard between n antennas at one frequency. */
struct calib_pairs {
    int n;
    const double complex *y; /* [n][n], y[i * n + j]: i sends, j hears; the diagonal is not read */
    const uint8_t *heard;    /* [n][n], 1 = measured; NULL = all but the diagonal. A pair counts when both ways were */
    const double *noise;     /* [n] variance at each receiver; NULL = the same everywhere */
};

struct calib_quality {
    double residual;       /* least eigenvalue over trace */
    double noise_residual; /* what the noise alone makes of it; NaN without `noise` */
    double error_variance; /* of f relative to |f|^2, mean over the antennas, to first order; NaN without `noise` */
};
/* Above this many times its noise value the residual says that a pair is wrong (saturation, a moving oscillator). */
#define CALIB_REFUSE_RATIO 10.0

/* f [n], f_0 = 1. TUTTI_EINVAL when the pairs do not connect all antennas (the sentence names one that is not),
 * TUTTI_ENUMERIC when nothing was received, TUTTI_ENOMEM. */
int calib_solve_ls(const struct calib_pairs *pairs, double complex *f, struct calib_quality *quality);
/* Improves f [n] (of calib_solve_ls) in so many rounds; f_0 = 1 again. */
int calib_solve_ml(const struct calib_pairs *pairs, int n_round, double complex *f);
/* For comparison: everything by way of antenna `reference`. */
int calib_solve_argos(const struct calib_pairs *pairs, int reference, double complex *f);
/* Whether a run with this quality may be used; TUTTI_ENUMERIC with the sentence if not. */
int calib_check(const struct calib_quality *quality);

/* Over n_sb subbands, in place: f [n_sb][n] against antenna 0: the slope over frequency (a difference of delays) is
 * taken off, the rest replaced by the complex straight line through it, the slope put back. Three subbands at least,
 * else nothing. */
void calib_smooth(int n_sb, int n, double complex *f);
/* c = 1 / f, scaled to a root-mean-square of 1: [n_sb][n]. TUTTI_ENUMERIC if an f is 0 or not finite. */
int calib_coefficients(int n_sb, int n, const double complex *f, tutti_cf32 *c);

#endif
