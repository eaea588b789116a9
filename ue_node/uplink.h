/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a user sends in a block: its pilots and, in the U symbols behind them, its data, as one burst. Slot thread only;
 * no allocation after create. */
#ifndef TUTTI_UE_NODE_UPLINK_H
#define TUTTI_UE_NODE_UPLINK_H

#include "base/config.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

struct uplink {
    const struct frame *frame;
    payload_t *payload;
    float scale;         /* amplitude of a subcarrier, that of the pilots */
    int n_samples;       /* first P symbol to the end of the last U; 0: no uplink, only pilots */
    tutti_cf32 *symbols; /* [n_ul][n_sc] */
    tutti_cf32 *burst;   /* [n_samples] */
};

/* config->uplink.mode none: an empty one. */
int uplink_create(struct uplink *uplink, const struct config *config, const struct frame *frame, float scale);
void uplink_destroy(struct uplink *uplink); /* half-built allowed */
/* Makes the user's burst of one block, [n_samples], good until the next, behind `pilots`, samples from
 * the first P symbol to the end of the last. Cost: n_ul
 * transforms and the encoder. */
const tutti_cf32 *uplink_make(struct uplink *uplink, ofdm_t *ofdm, const tutti_cf32 *pilots, int user, uint64_t block);

#endif
