/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who serves whom, for those who watch: the newest clusters, and of every user's the strongest AP. Private to the
 * record thread. */
#ifndef TUTTI_CPU_NODE_RECORD_LIVE_CLUSTERS_H
#define TUTTI_CPU_NODE_RECORD_LIVE_CLUSTERS_H

#include "cpu_node/block.h"

#include <jansson.h>

struct live_clusters {
    int n_ap, n_ue;
    uint8_t *serves; /* [n_ap][n_ue] */
    int32_t *pilot;  /* [n_ue] */
    int *master;     /* [n_ue] -1: nobody serves it */
    bool any;        /* there are clusters */
};

int live_clusters_create(struct live_clusters *clusters, int n_ap, int n_ue); /* 0, TUTTI_ENOMEM */
void live_clusters_free(struct live_clusters *clusters);                      /* what it holds; zeroes allowed */

/* Clusters and gains of a block, looked at when clusters or pilots are new; nothing without clusters. O(n_ap n_ue). */
void live_clusters_block(struct live_clusters *clusters, const struct cpu_block *block);

/* Adds serves to an AP's object; pilot, master and cluster (its size) to a user's. Nothing without clusters. */
void live_clusters_ap(const struct live_clusters *clusters, int ap, json_t *object);
void live_clusters_user(const struct live_clusters *clusters, int user, json_t *object);

#endif
