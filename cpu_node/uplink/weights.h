/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a block's streams are multiplied with to become users' symbols, and what SINR is left: the central combiners and
 * the fusions of docs/uplink.md over mimo/combine.h and mimo/fuse.h. Create allocates; the rest does not. */
#ifndef TUTTI_CPU_NODE_UPLINK_WEIGHTS_H
#define TUTTI_CPU_NODE_UPLINK_WEIGHTS_H

#include "cpu_node/uplink/window.h"

typedef struct uplink_weights uplink_weights_t;

struct uplink_weights_settings {
    struct uplink_shape shape;
    const struct config *config; /* read at create only */
};

int uplink_weights_create(uplink_weights_t **weights, const struct uplink_weights_settings *settings);
void uplink_weights_destroy(uplink_weights_t *weights); /* NULL and half-built allowed */
/* Of the APs that have sent and the users that are here. rad_per_symbol [n_ue]: offsets of their oscillators as far as
 * they are known, else 0; NULL: nobody's. A central combiner takes out of the estimates what they make of the pilots.
 */
void uplink_weights_make(uplink_weights_t *weights, const struct uplink_block *block, const double *rad_per_symbol);
/* User k's symbols [n_ul][n_sc], gain 1, and in sinr [n_sb] their SINR as the estimates predict it (0: nobody hears
 * the user). Cost n_ul n_sc multiply-adds a stream. */
void uplink_weights_apply(const uplink_weights_t *weights, int k, tutti_cf32 *symbols, double *sinr);
/* Of the same symbols, for somebody who fuses them with others' (mimo/fuse.h): g [n_sb][n_ue], what all users' unit
 * symbols come out as in them, f [n_sb] the power of noise and errors; both 0 where nobody hears the user. */
void uplink_weights_part(const uplink_weights_t *weights, int k, tutti_cf32 *g, float *f);

#endif
