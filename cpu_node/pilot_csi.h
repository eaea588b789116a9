/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Estimates per pilot, as access points report them where users share pilots, into estimates per user (cluster/split.h)
 * with the users' gains that each access point tells now and then. The block thread's; no allocation after create. */
#ifndef TUTTI_CPU_NODE_PILOT_CSI_H
#define TUTTI_CPU_NODE_PILOT_CSI_H

#include "base/types.h"
#include "cpu_node/block.h"

struct pilot_csi {
    int n_pilot, n_ue, n_ap, n_row;
    tutti_cf32 *P;       /* [n_row][n_pilot] what came of one AP */
    float *beta, *error; /* [n_pilot] of it */
    float *gains;        /* [n_ap][2][n_ue] gains and their variances, as told last */
    float *told;         /* [2][n_ue] what is being read */
    float *factor;       /* [n_ue] work */
    int *sequence;       /* [n_ue] who sent which pilot in the block of the estimates that came; the caller's to fill */
};

/* NULL in *csi where nobody shares a pilot (shape->n_pilot 0). */
int pilot_csi_create(struct pilot_csi **csi, const struct block_shape *shape);
void pilot_csi_destroy(struct pilot_csi *csi); /* NULL and half-built allowed */
/* A message of gains; false: it is none of this network's. */
bool pilot_csi_hear(struct pilot_csi *csi, int ap, const uint8_t *data, size_t n_bytes);
/* Users' estimates H [n_row][n_ue], beta and error_variance [n_ue] of AP `ap` from P, beta and error. */
void pilot_csi_split(struct pilot_csi *csi, int ap, tutti_cf32 *H, float *beta, float *error_variance);

#endif
