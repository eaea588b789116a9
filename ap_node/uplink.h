/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data at one AP: the U symbols of a block, combined or as the antennas received them, packed for the central
 * node. They arrive while the AP waits for the block's precoder, with the samples that it asks for up to its next
 * decision; it looks at them after the next block's downlink is handed over. So they cost no wake-up and no deadline,
 * only a block of delay, and what they are combined with is remembered until then. Slot thread only; no allocation
 * after create. */
#ifndef TUTTI_AP_NODE_UPLINK_H
#define TUTTI_AP_NODE_UPLINK_H

#include "ap_node/capture.h"
#include "ap_node/link.h"
#include "ap_node/reciprocity.h"
#include "fronthaul/wire.h"
#include "mimo/combine.h"

struct uplink {
    const struct config *config; /* NULL: no uplink */
    const struct frame *frame;
    int id, n_ant, n_ue, n_column;
    double uplink_to_downlink; /* amplitude from uplink units to those of the estimates */
    combine_t *combine;
    bool *sends; /* [n_ue] who is served in the block under way, and so sends data: the caller's to write */
    /* of the block whose U symbols come next */
    bool have;
    uint64_t block;
    uint32_t session;
    tutti_tick tick, begin; /* its first sample by the network's clock and by this node's */
    double delay_samples;
    tutti_cf32 *scale; /* [n_sb][n_ant] from what an antenna receives to noise power 1, calibrated */
    tutti_cf32 *V;     /* [n_sb][n_column][n_ant] weights; not for antennas */
    float *statistic;  /* local: f [n_sb][n_column], then g [n_sb][n_column][n_ue] as real, imaginary */
    uint32_t n_statistic;
    /* work */
    tutti_cf32 *G, *V_sb;           /* [n_ant][n_ue] */
    double complex *g_sb;           /* [n_ue][n_ue] */
    double *f_sb;                   /* [n_ue] */
    float *e;                       /* [n_ue] */
    tutti_cf32 *undo, *centre;      /* [n_sc], [n_sb] of the delay inside subbands */
    tutti_cf32 *rows;               /* [n_ant][n_sc] one symbol */
    const tutti_cf32 **row;         /* [n_ant] */
    tutti_cf32 *values;             /* [n_ul][n_sb][n_column][sc_per_sb] */
    uint64_t sent, missed, dropped; /* blocks: whole; without all their samples; the link thread was behind */
};

/* config->uplink.mode none: an empty one, for which the rest does nothing. */
int uplink_create(struct uplink *uplink, const struct config *config, const struct frame *frame, int id);
void uplink_destroy(struct uplink *uplink); /* half-built allowed */
/* The largest message; 0 without an uplink. TUTTI_ECONFIG is the caller's when there is one and it does not fit. */
size_t uplink_message_bytes(const struct uplink *uplink);
/* A block's estimates are there: what its U symbols will be combined with. */
void uplink_remember(struct uplink *uplink, const struct capture *capture, const struct reciprocity *reciprocity,
                     const struct node_radio *radio, uint64_t block, uint32_t session);
/* The U symbols of the block remembered, if the span holds all of them: to the link thread. */
void uplink_send(struct uplink *uplink, struct capture *capture, const struct node_span *span, struct ap_link *link);

#endif
