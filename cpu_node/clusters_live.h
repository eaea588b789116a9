/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pilots and clusters of a running network (cluster/clusters.h) from the gains that access points learn: the first ones
 * when every user has been alone on its pilot CLUSTERS_LEARN times, then looked at every so many blocks. An access
 * point that has not been heard for CLUSTERS_GONE blocks serves nobody. Fed block by block by the slow clock; no thread
 * and no clock of its own. Create allocates, the rest does not. */
#ifndef TUTTI_CPU_NODE_CLUSTERS_LIVE_H
#define TUTTI_CPU_NODE_CLUSTERS_LIVE_H

#include "base/types.h"

enum { CLUSTERS_LEARN = 8, CLUSTERS_GONE = 20 };

struct clusters_live_settings {
    int n_ap, n_ue, n_pilot, max_aps, every_blocks;
    double hysteresis; /* factor */
};

struct clusters_table {
    const int *pilot;               /* [n_ue] */
    const uint8_t *serves;          /* [n_ap][n_ue] */
    int n_moved, n_changed, n_link; /* users on another pilot than before, links that came or went, links in all */
};

typedef struct clusters_live clusters_live_t;

int clusters_live_create(clusters_live_t **live, const struct clusters_live_settings *settings);
void clusters_live_destroy(clusters_live_t *live); /* NULL and half-built allowed */
/* One block: gains beta [n_ap][n_ue], ap_present [n_ap]. True if anything changes: *table, valid until the next call.
 */
bool clusters_live_block(clusters_live_t *live, const float *beta, const uint8_t *ap_present,
                         struct clusters_table *table);

#endif
