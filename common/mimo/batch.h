/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders of many subbands at once in single precision, one vector lane per subband. Private to this folder: it
 * does what is well conditioned and tells the caller which subbands are left to the double-precision solver. */
#ifndef TUTTI_MIMO_BATCH_H
#define TUTTI_MIMO_BATCH_H

#include "mimo/precoder.h"

typedef struct batch batch_t;

int batch_create(batch_t **batch, const struct mimo_shape *shape);
void batch_destroy(batch_t *batch);
/* Up to batch_lanes() subbands of any scheme but ob, analog and those of clusters; cb with power maxmin needs
 * batch_use_each before. Bit s of the result is set when
 * subband s is not done, or the result is not finite or an AP not at its budget (other masks or strong users than the
 * first, badly conditioned, max-min not converged, a user below -20 dB with rzf, local schemes without channel->beta
 * or with channel->serves).
 */
unsigned batch_execute(batch_t *batch, enum mimo_scheme scheme, enum mimo_power power, double upsilon, int n_sb,
                       const struct mimo_channel *channels, struct mimo_solution *solutions);
/* Amplitudes of cb with power maxmin, packed [n_ap][n_ue] of the active ones, for all subbands whose large-scale
 * figures are the same arrays as those of `figures`; the reason goes to their solutions. Copied. */
void batch_use_each(batch_t *batch, const struct mimo_channel *figures, int n_ap, int n_ue, const double *amplitude,
                    int reason);
int batch_lanes(const batch_t *batch); /* 1 without a batch (NULL) */

#endif
