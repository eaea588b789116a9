/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Symbols that both ends of the radio link know. Start-up only: allocates. */
#ifndef TUTTI_NODE_PILOTS_H
#define TUTTI_NODE_PILOTS_H

#include "phy/frame.h"
#include "phy/ofdm.h"

/* Downlink pilots: user k's is sequence k whatever its stream's place in a message, so users need not be told.
 * out [n_ue][n_dl_pilot][n_sc]. */
int node_pilots_downlink(const struct frame *frame, int n_ue, tutti_cf32 *out);
/* One user's uplink pilots as samples, P symbol after P symbol: out [n_pilot][n_symbol_samples]. */
int node_pilots_uplink(const struct config *config, const struct frame *frame, int user, float scale, ofdm_t *ofdm,
                       tutti_cf32 *out);
/* Amplitude from subcarriers of unit power to samples: `power` dBm in all used subcarriers where mean square 1 stands
 * for full_scale dBm. */
float node_tx_scale(const struct frame *frame, double power_dbm, double full_scale_dbm);

#endif
