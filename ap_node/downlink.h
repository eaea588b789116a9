/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a block's streams to its downlink: one contiguous burst per block, and the next block's beacon. The slot
 * thread's; no allocation after create. */
#ifndef TUTTI_AP_NODE_DOWNLINK_H
#define TUTTI_AP_NODE_DOWNLINK_H

#include "ap_node/rows.h"
#include "ap_node/slave.h"
#include "ap_node/streams.h"
#include "node/radio.h"
#include "node/roster.h"
#include "phy/ofdm.h"
#include "phy/payload.h"

struct downlink {
    const struct frame *frame;
    int ap, n_ant, n_ue;
    float tx_scale;
    const struct roster *roster; /* of the block to be sent: which sequence a user's stream has */
    struct slave *slave;         /* NULL, or what turns all that is sent */
    tutti_tick first_tick;       /* of the downlink being made */
    double delay_samples;        /* of this AP, as its estimates have it */
    struct rows rows;
    bool scaled; /* the last block's interpolated vectors, down to the AP's limits */
    ofdm_t *ofdm;
    payload_t *payload;
    int n_place;        /* pilot sequences of users' streams */
    int n_zone;         /* and sensing zones' */
    tutti_cf32 *pilots; /* [n_place + n_zone + 1][n_dl_pilot][n_sc], the last ones silent */
    int8_t *labels;     /* [n_ue][payload_label_stride] of data_block */
    tutti_cf32 *data;   /* [n_ue][n_sc] of one symbol */
    uint64_t data_block;
    bool have_data;
    tutti_cf32 *x;              /* [n_ant][n_sc] */
    tutti_cf32 *burst;          /* [n_ant][n_dl * n_symbol_samples], only used where the radio takes bursts whole */
    tutti_cf32 *symbol;         /* [n_ant][n_symbol_samples] elsewhere */
    tutti_cf32 *beacon;         /* [n_symbol_samples] from the first antenna */
    tutti_cf32 *silence;        /* the same from the others */
    const tutti_cf32 **symbols; /* [room] */
    tutti_cf32 **places;        /* [n_ant] where a symbol is made */
    const tutti_cf32 **buffers; /* [n_ant] */
};

/* Of AP id; room: streams. */
int downlink_create(struct downlink *downlink, const struct config *config, int id, const struct frame *frame,
                    int room);
void downlink_destroy(struct downlink *downlink); /* half-built allowed */
/* The data of a block, ahead of time: while nothing else is to be done. */
void downlink_encode(struct downlink *downlink, uint64_t block);
/* Precodes, modulates and hands over the whole downlink of a block; the radio's answer (TUTTI_OK: a note will follow).
 */
int downlink_send(struct downlink *downlink, struct streams *streams, struct node_radio *radio, uint64_t block);
/* The beacons of a block that this AP sends, from the first antenna, known and unprecoded, so that users can find the
 * frame. */
void downlink_beacon(struct downlink *downlink, struct node_radio *radio, uint64_t block);

#endif
