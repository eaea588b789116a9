/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Estimates of one block freed from what users' oscillator offsets make of each other's pilots (phy/leak.h), by the
 * offsets of the blocks before. An estimate is s_k times what was despread, s_k = 1 - e_k / beta_k the MMSE coefficient
 * at this access point, so its channels are to be multiplied with R_kj = s_k X_kj / s_j; what is combined by matched
 * filters of the estimates as they were can be freed behind them as well. Create allocates, nothing else does. */
#ifndef TUTTI_CPU_NODE_UPLINK_UNLEAK_H
#define TUTTI_CPU_NODE_UPLINK_UNLEAK_H

#include "cpu_node/uplink/window.h"

struct unleak {
    const struct frame *frame;
    tutti_cf32 *phi;      /* [n_pilot][n_pilot] */
    bool active;          /* in this block: somebody has an offset, and it can be undone */
    double complex *X;    /* [n_user][n_user] */
    double complex *R;    /* [n_ap][n_user][n_user] */
    double complex *turn; /* [n_user] work */
    int *pilot;           /* [n_user] */
    double *rad, *s;      /* [n_user] */
    int n_user;
};

int unleak_create(struct unleak *unleak, const struct uplink_shape *shape);
void unleak_destroy(struct unleak *unleak); /* half-built allowed */
/* The n_user users in user, their pilots in pilot_of_user [n_ue], rad_per_symbol [n_ue] (NULL: nobody's is known). */
void unleak_begin(struct unleak *unleak, int n_user, const int *user, const int32_t *pilot_of_user,
                  const double *rad_per_symbol);
/* R of the l-th AP of the block, by its rows of beta and error_variance [n_ue]. */
void unleak_ap(struct unleak *unleak, int l, const int *user, const float *beta, const float *error_variance);
/* One antenna's channels [n_user], in place. */
void unleak_channels(const struct unleak *unleak, int l, tutti_cf32 *row);
/* Weights for channels as they should be made into weights for matched filters of those as they were, row [n_user]. */
void unleak_weights(const struct unleak *unleak, int l, double complex *row);

#endif
