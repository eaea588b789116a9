/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A calibration: one complex coefficient per AP antenna and subband, when and how well it was measured, as a file, and
 * applied to estimates. An uplink estimate in the convention of H_hat (the conjugate of the physical row) becomes the
 * downlink's when multiplied by conj(c). File layout: docs/files.md. Creating, loading and saving allocate and block on
 * the disk; applying does neither. */
#ifndef TUTTI_CALIB_TABLE_H
#define TUTTI_CALIB_TABLE_H

#include "base/types.h"

struct calib_table {
    int n_sb, n_ap, n_ant;
    tutti_cf32 *c;         /* [n_sb][n_ap][n_ant], root-mean-square 1 */
    uint64_t measured_ns;  /* wall clock */
    double *delay_samples; /* [n_ap] by which c turns over frequency, between subbands' centres too */
    int *shift_samples;    /* [n_ap] an AP acts so much earlier than its clock says; c and delay are of what is left */
    int reference;         /* antenna, counted over all APs */
    double residual, noise_residual;
    double error_variance;   /* of c relative to |c|^2 when measured */
    double drift_rad2_per_s; /* how fast it grows */
};

/* All coefficients 1, no delay, no error. */
int calib_table_create(struct calib_table *table, int n_sb, int n_ap, int n_ant);
void calib_table_destroy(struct calib_table *table); /* half-built allowed */
int calib_table_save(const struct calib_table *table, const char *path);
/* Creates the table from the file; it must be of this shape. TUTTI_EIO, TUTTI_EFORMAT with a sentence naming the file.
 */
int calib_table_load(struct calib_table *table, const char *path, int n_sb, int n_ap, int n_ant);
/* The same in a child, which a damaged file may crash (base/h5file_trial.h); nothing is left of it but the status. */
int calib_table_try(const char *path, int n_sb, int n_ap, int n_ant);

/* One AP's estimates H_hat [n_sb][n_ant][n_ue], large-scale gains [n_ue] and error variances [n_ue], in place; the
 * variance has that of the coefficients in it afterwards. */
void calib_table_apply(const struct calib_table *table, int ap, int n_ue, tutti_cf32 *H_hat, float *beta,
                       float *error_variance);

/* Error variance at a later instant: sigma_cal^2 + d t. */
double calib_table_variance(const struct calib_table *table, uint64_t now_ns);
/* The variance beyond which one dB of SINR sinr (linear, without it) is lost; ratio: error over signal per rad^2, as
 * expect_ratio_per_antenna. */
double calib_stale_variance(double sinr, double ratio);

#endif
