/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From received samples to estimates: silent symbols give the noise, pilot symbols the channels. The slot thread's; no
 * allocation after create. */
#ifndef TUTTI_AP_NODE_CAPTURE_H
#define TUTTI_AP_NODE_CAPTURE_H

#include "ap_node/shared.h"
#include "ap_node/slave.h"
#include "node/span.h"
#include "phy/estimate.h"
#include "phy/ofdm.h"

struct capture {
    const struct frame *frame;
    int n_ant, n_ue, n_column; /* n_column: of what is reported: users, or pilots that they share */
    const struct slave *slave; /* NULL, or whose delay is taken off what is received */
    bool in_turns;             /* users take turns on the pilots */
    struct shared shared;      /* or share them */
    ofdm_t *ofdm;
    struct interpolate *interpolate;
    estimate_t *estimate;
    tutti_cf32 *pilots;           /* [n_ant][tau][n_sc] */
    tutti_cf32 *silent;           /* [n_ant][n_sc] */
    tutti_cf32 *H_hat;            /* [n_sb][n_ant][n_column] */
    float *beta, *error_variance; /* [n_column] */
    double delay_samples;         /* of the pilots, against the frame */
    double noise_power;           /* per subcarrier, sample units squared */
    double *history;              /* [ESTIMATE_HISTORY(users, or tracks of shared.h) + n_ue] */
    int *sequence;                /* [n_ue] of this block: the pilot of each user, -1 = none */
    bool have;                    /* there have been estimates */
};

/* Of AP `id`. */
int capture_create(struct capture *capture, const struct config *config, const struct frame *frame, int id);
void capture_destroy(struct capture *capture); /* half-built allowed */
/* The noise of all silent symbols that the span holds, and the estimates of `block` if it holds all its pilots: true.
 * sequence [n_ue]: who sends which pilot, where users take turns or share them; roster: of the block. */
bool capture_execute(struct capture *capture, const struct node_span *span, struct node_radio *radio, uint64_t block,
                     const int *sequence, const struct roster *roster);

#endif
