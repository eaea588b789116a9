/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One calibration of a network, from what its access points heard of each other to a table. Each measurement is one
 * AP's of another's antennas; those of all APs together are solved subband by subband (solve.h). Offsets of the APs'
 * clocks, which turn a pair's channels against each other over frequency, are taken from the pairs' delays first: half
 * of what the one way takes longer than the other. Start-up and calibration runs only: allocates in create and solve.
 */
#ifndef TUTTI_CALIB_RUN_H
#define TUTTI_CALIB_RUN_H

#include "base/config.h"
#include "base/frame.h"
#include "calib/solve.h"
#include "calib/table.h"

struct calib_run {
    int n_sb, n_ap, n_ant, n_all, fft_size;
    double *centre;    /* [n_sb] of the subbands, in subcarriers from the carrier */
    double complex *y; /* [n_sb][n_all][n_all], i sends, j hears, in units of j's noise per subcarrier */
    double *count;     /* [n_sb][n_all][n_all] subcarriers that y is the mean of; 0: not heard */
    double *delay;     /* [n_ap][n_ap] samples from AP to AP */
    uint8_t *heard;    /* [n_ap][n_ap] */
    int *shift;        /* [n_ap] samples by which an AP acted earlier when it was heard */
};

int calib_run_create(struct calib_run *run, const struct frame *frame, int n_ap, int n_ant); /* TUTTI_ENOMEM */
void calib_run_destroy(struct calib_run *run);                                               /* half-built allowed */
void calib_run_reset(struct calib_run *run);

/* What AP `to` heard of AP `from`: values [n_sb][n_ant hearing][n_ant sending], means over count [n_sb][n_ant sending]
 * subcarriers about each subband's centre, the slope of delay_samples taken off inside subbands.
 * shift_samples: by which `to` acted earlier than its clock said. */
void calib_run_add(struct calib_run *run, int from, int to, const tutti_cf32 *values, const float *count,
                   double delay_samples, int shift_samples);
/* How many of the n_ap (n_ap - 1) measurements are there. */
int calib_run_heard(const struct calib_run *run);
/* The table, created before with this shape; measured_ns is the caller's. TUTTI_EINVAL: somebody was not heard, the
 * sentence names it; TUTTI_ENUMERIC: it does not fit together. */
int calib_run_solve(const struct calib_run *run, const struct config_calibration *settings, struct calib_table *table);

#endif
