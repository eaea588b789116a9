/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Symbols that both ends of the radio link know. Start-up only: allocates. */
#ifndef TUTTI_NODE_PILOTS_H
#define TUTTI_NODE_PILOTS_H

#include "phy/frame.h"
#include "phy/ofdm.h"

/* Downlink pilots of the first n sequences; a stream's is that of its user's place (node/roster.h) whatever its place
 * in a message. out [n][n_dl_pilot][n_sc]. */
int node_pilots_downlink(const struct frame *frame, int n, tutti_cf32 *out);
/* An uplink pilot sequence as samples, P symbol after P symbol: out [n_pilot][n_symbol_samples]. */
int node_pilots_uplink(const struct frame *frame, int sequence, float scale, ofdm_t *ofdm, tutti_cf32 *out);
/* Amplitude from subcarriers of unit power to samples: `power` dBm in all used subcarriers where mean square 1 stands
 * for full_scale dBm. */
float node_tx_scale(const struct frame *frame, double power_dbm, double full_scale_dbm);

#endif
