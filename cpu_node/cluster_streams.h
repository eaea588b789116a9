/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams of a block with clusters: nothing outside them, and what its users get then. Pure, no allocation; O(links
 * n_ant n_ue) per subband. */
#ifndef TUTTI_CPU_NODE_CLUSTER_STREAMS_H
#define TUTTI_CPU_NODE_CLUSTER_STREAMS_H

#include "mimo/precoder.h"

/* Zeroes W [n_ap][n_ant][n_ue] where serves [n_ap][n_ue] is 0: precoders that do not know clusters are solved over all
 * APs. */
void cluster_streams_mask(const struct mimo_shape *shape, const uint8_t *serves, tutti_cf32 *W);
/* sinr [n_ue], linear, of users that know their gain: E|own|^2 over 1 + sum over the others of E|theirs|^2 by estimates
 * and errors (channel->serves set). On a shared pilot errors are large, and what a user's own stream gains or loses by
 * them is no noise to it; mimo_sinr counts it as such. work: 5 n_ue doubles. */
void cluster_streams_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W,
                          double *work, float *sinr);

#endif
