/* SPDX-License-Identifier: GPL-3.0-or-later */
/* P-MMSE and P-RZF of many subbands at once in single precision, one vector lane per subband; beams are packed rows of
 * the APs that serve a user. Private to this folder. */
#ifndef TUTTI_MIMO_CLUSTER_LANES_H
#define TUTTI_MIMO_CLUSTER_LANES_H

#include "mimo/precoder.h"

typedef struct cluster_lanes cluster_lanes_t;

int cluster_lanes_create(cluster_lanes_t **lanes, const struct mimo_shape *shape); /* 0 or TUTTI_ENOMEM */
void cluster_lanes_destroy(cluster_lanes_t *lanes);                                /* NULL and half-built allowed */
int cluster_lanes_most(const cluster_lanes_t *lanes);                              /* subbands at once */
/* What is read of gains, powers and who serves whom is kept from one call to the next for the same arrays, until this,
 * which goes before the first call of a block and after any use of the precoder that is not by lanes. */
void cluster_lanes_begin(cluster_lanes_t *lanes);
/* Up to that many subbands with MIMO_POWER_FRACTIONAL. Bit s of the result is set when subband s is left to the solver
 * in double precision: badly conditioned, out of the range of single precision, users without an estimate, or other
 * arrays than the first subband's of anything but estimates. No allocation. */
unsigned cluster_lanes_execute(cluster_lanes_t *lanes, precoder_t *precoder, bool errors, int n_sb,
                               const struct mimo_channel *channels, struct mimo_solution *solutions);

#endif
