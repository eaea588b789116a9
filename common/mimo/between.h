/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the central node does so that APs can interpolate precoders between subbands: every user's vectors are turned by
 * one phase per subband, so that they go over into one another (users equalise it away; nothing else changes), and
 * predictions count what users hear of one another between the centres, where interpolated precoders meet interpolated
 * channels. Create allocates; the rest does not. Cost O(n_sb M K), and where delays are spread O(3 n_sb M K (K + 12)).
 */
#ifndef TUTTI_MIMO_BETWEEN_H
#define TUTTI_MIMO_BETWEEN_H

#include "mimo/precoder.h"
#include "phy/interpolate.h"

enum {
    BETWEEN_NODES = 3,
    BETWEEN_REACHES = 3
}; /* subcarriers that are looked at in a subband; a half of the delays,
       a quarter */

struct between {
    const struct interpolate *table;               /* of precoders */
    struct interpolate *channels[BETWEEN_REACHES]; /* of channels, spread over more and more delays */
    const struct interpolate *now;                 /* the block's one of them */
    struct mimo_shape shape;
    tutti_cf32 *centre; /* [n_ap][n_sb] slopes of the APs' delays, as precoders follow them */
    tutti_cf32 *one;    /* [n_sb] work */
    tutti_cf32 *still;  /* [n_sb][n_ue] slopes of users' own delays */
    tutti_cf32 *own;    /* [n_sb][BETWEEN_NODES][n_ue] users' own gains at the nodes */
    float *leak;        /* the same of the power that they hear of the others' streams */
    tutti_cf32 *mean;   /* [n_sb][n_ue] own gains as users measure them, delays taken off */
    tutti_cf32 *H, *W;  /* [n_ap * n_ant][n_ue] between centres */
    tutti_cf32 *heard;  /* [n_ue] what one user hears of each stream */
    float *sums;        /* [2][n_ue][2] of it */
    int node[2];        /* of the subcarriers looked at, the first and the last in a subband; another is its middle */
    double share;       /* weight of each of them in a mean over the subband */
};

/* The table of precoders, as APs interpolate them, is kept. */
int between_create(struct between **between, const struct mimo_shape *shape, const struct frame *frame,
                   const struct interpolate *precoders);
void between_destroy(struct between *between); /* NULL and half-built allowed */

/* H_hat, W [n_sb][n_ap][n_ant][n_ue]; delay_samples, ap_active [n_ap]; ue_active [n_ue]. W's columns are turned. */
void between_align(struct between *between, const float *delay_samples, const uint8_t *ap_active,
                   const uint8_t *ue_active, tutti_cf32 *W);
/* After between_align of the same block: error_variance [n_ap][n_ue] tells what of the neighbours' difference is only
 * noise; sinr [n_sb][n_ue] (at the centres) come down to the mean over their
 * subcarriers: more of the others' streams, and an own gain that differs from the one that is equalised with. Nothing
 * to do, and nothing done, where neighbours' channels are nearly the same. */
void between_lower(struct between *between, const uint8_t *ap_active, const uint8_t *ue_active, const tutti_cf32 *H_hat,
                   const float *error_variance, const tutti_cf32 *W, float *sinr);

#endif
