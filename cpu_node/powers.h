/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers that follow from figures slower than the channel, for the slow clock: max-min of conjugate beams
 * (control/maxmin_cb.h) from tracked gains, solved anew when APs or users come or go and every POWERS_EVERY blocks, in
 * every one of the first POWERS_LEARN, while the gains are rough; the shape of the powers of robust least squares
 * (rlspa/block.h) averaged over subbands and blocks. Fed block by block; no thread and no clock of its own. Create
 * allocates, the rest does not; a max-min solve takes milliseconds: not for the block path. */
#ifndef TUTTI_CPU_NODE_POWERS_H
#define TUTTI_CPU_NODE_POWERS_H

#include "base/config.h"

enum { POWERS_EVERY = 10, POWERS_LEARN = 16 };

struct powers_settings {
    int n_ap, n_ant, n_ue;
    int average_blocks; /* robust least squares: over so many blocks; 0 = max-min of conjugate beams */
};

/* One block. */
struct powers_input {
    uint64_t block;
    const float *beta, *error_variance; /* [n_ap][n_ue] as reported, downlink units */
    const uint8_t *ap_present;          /* [n_ap] */
    const uint8_t *user_served;         /* [n_ue] */
    const double *shape;                /* [n_ue] mean over subbands of each user's part of its block's powers */
};

typedef struct powers powers_t;

/* Whether a configuration asks for any of this. */
bool powers_wanted(const struct config *config);
/* TUTTI_ENOMEM. Destroy takes NULL and half-built ones. */
int powers_create(powers_t **powers, const struct powers_settings *settings);
void powers_destroy(powers_t *powers);
/* Blocks in ascending order. True if powers change: *power [n_ap][n_ue] for the APs and users of this block, valid
 * until the next call. Max-min: shares of an AP's power for data. Least squares: the averaged shape, sum 1, the same at
 * every AP. */
bool powers_block(powers_t *powers, const struct powers_input *input, const double **power);

#endif
