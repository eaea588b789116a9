/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A channel file that the air plays (air.fading.model: file): the coefficients of every pair of an access point with a
 * user or an eavesdropper, row by row, read whole at the start. /taps are impulse responses; /H, or else /H_hat, are
 * responses at the centres of the subbands, from which taps at whole samples follow by least squares (ridge; what they
 * leave over is told). Shapes, units and layouts: docs/channel.md. Blocks on disk in open only; no allocation later. */
#ifndef TUTTI_CHANNEL_PLAYED_H
#define TUTTI_CHANNEL_PLAYED_H

#include "base/config.h"
#include "base/frame.h"
#include "base/types.h"

/* Everything from the access points to one kind of receiver. */
struct played_links {
    int n_column;     /* users, or antennas of all eavesdroppers; 0 when the file has none */
    int n_tap;        /* 1 and more */
    int *delay;       /* [n_tap] samples, ascending */
    uint64_t n_row;   /* blocks of the file */
    tutti_cf32 *g;    /* [n_row][n_tap][n_ap][n_ant][n_column] what arrives of a sample sent; as in the file */
    double *power;    /* [n_ap][n_column] mean of the sum of |g|^2 over taps, per antenna and row */
    double left_over; /* of the power, what the taps do not explain: 0 with /taps */
};

struct played {
    int n_ap, n_ant;
    struct played_links user, eve;
};

/* Errors: TUTTI_EIO or TUTTI_EFORMAT with file and dataset named, TUTTI_ECONFIG when it does not fit the network,
 * TUTTI_ENOMEM. */
int played_open(struct played **played, const struct config *config, const struct frame *frame);
/* The same in a child, which a damaged file may crash (base/h5file_trial.h); nothing is left of it but the status. */
int played_try(const struct config *config, const struct frame *frame);
void played_close(struct played *played); /* NULL allowed */

/* Row that is played in a block: each lasts row_blocks, and after the last comes the first again. */
static inline uint64_t played_row(const struct played_links *links, uint64_t block, int row_blocks)
{
    return block / (uint64_t)row_blocks % links->n_row;
}

/* Coefficients of one access point and n columns from `column` on, mean power 1 over the file:
 * g [n_tap][n_ant][n]. */
void played_copy(const struct played *played, const struct played_links *links, uint64_t row, int ap, int column, int n,
                 tutti_cf32 *g);

/* Mean gains in dB, [n_ap][n], for large_scale.model: file. Each of the n nodes has n_column / n columns; snr_scale:
 * channel_downlink_snr_scale where the file is in units of receiver noise, else 1. Links of no power get -400 dB. */
void played_gains(const struct played *played, const struct played_links *links, int n, double snr_scale,
                  double *beta_db);

#endif
