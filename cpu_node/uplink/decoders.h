/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads that combine, follow, decode and measure users' streams, one user at a time; the caller is one of them. */
#ifndef TUTTI_CPU_NODE_UPLINK_DECODERS_H
#define TUTTI_CPU_NODE_UPLINK_DECODERS_H

#include "base/config.h"
#include "phy/upstream.h"

struct uplink_user {
    struct upstream_figures figures;
    double sinr_predicted; /* linear, of all subbands together: one over the mean of error over signal */
    uint64_t combine_ns, decode_ns;
};
/* Where a user's combined symbols come from: the function behind uplink_weights_apply or uplink_parts_apply, called
 * from several threads at once. */
struct uplink_source {
    const void *of;
    void (*apply)(const void *of, int k, tutti_cf32 *symbols, double *sinr);
};
typedef struct uplink_decoders uplink_decoders_t;

int uplink_decoders_create(uplink_decoders_t **decoders, const struct config *config, const struct frame *frame);
int uplink_decoders_start(uplink_decoders_t *decoders);
void uplink_decoders_destroy(uplink_decoders_t *decoders); /* ends the threads; NULL and half-built allowed */
/* All users of user_here [n_ue]: users [n_ue] of those; blocks until all are done. */
void uplink_decoders_execute(uplink_decoders_t *decoders, uint64_t block, const struct uplink_source *source,
                             const uint8_t *user_here, struct uplink_user *users);
/* By how much users' oscillators are off, [n_ue] radians per symbol; 0: not known, or no more than noise. */
const double *uplink_decoders_offsets(const uplink_decoders_t *decoders);
/* What was decoded last of a user: [n_ul][n_sc]. */
const tutti_cf32 *uplink_decoders_symbols(const uplink_decoders_t *decoders, int user);

#endif
