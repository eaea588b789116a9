/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AP's side of precoding: x = sum over streams of vector * symbol, per subcarrier. Knows streams, not schemes. */
#ifndef TUTTI_MIMO_APPLY_H
#define TUTTI_MIMO_APPLY_H

#include "base/types.h"

/* x [n_ant][n_sb * sc_per_sb] = sum_s V[sb][ant][s] * symbols[s][sc];  V [n_sb][n_ant][n_stream], stream fastest, power
 * included; symbols: n_stream pointers to [n_sc]. No allocation. Cost n_sc n_ant n_stream complex multiply-adds. */
void apply_streams(int n_sb, int sc_per_sb, int n_ant, int n_stream, const tutti_cf32 *V,
                   const tutti_cf32 *const *symbols, tutti_cf32 *x);

/* Conjugate beamforming from the AP's own estimate, for when the CPU node is silent: V [n_sb][n_ant][n_ue] with full
 * power (1 per subband) split over the users by their estimates' power. H_hat [n_sb][n_ant][n_ue]. */
void apply_local_cb(int n_sb, int n_ant, int n_ue, const tutti_cf32 *H_hat, tutti_cf32 *V);

#endif
