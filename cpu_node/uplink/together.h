/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the uplink thread of one of several central nodes does with a block that it has combined: streams of its own
 * users are kept until the helpers' have come, those of others' users are sent to their homes (parts.h). Every block
 * has a message for every partner that is there, so that nobody waits for one that will not come. Create allocates. */
#ifndef TUTTI_CPU_NODE_UPLINK_TOGETHER_H
#define TUTTI_CPU_NODE_UPLINK_TOGETHER_H

#include "cpu_node/uplink/parts.h"

/* Which one this is, and how the uplink thread sends to another one without blocking. */
struct uplink_company {
    int n_cpu, self; /* n_cpu 0 or 1: alone */
    void *context;
    int (*send)(void *context, int cpu, const uint8_t *data, size_t n_bytes); /* 0, or negative: not there, no room */
};
struct uplink_together_settings {
    struct uplink_shape shape;
    const struct config *config; /* read at create only */
    struct uplink_company company;
    bool lockstep;
};
typedef struct uplink_together uplink_together_t;

/* *together stays NULL when alone. */
int uplink_together_create(uplink_together_t **together, const struct uplink_together_settings *settings);
void uplink_together_destroy(uplink_together_t *together); /* NULL and half-built allowed */
uplink_parts_t *uplink_together_parts(const uplink_together_t *together);
/* weights NULL: none of its access points has sent, there is nothing of this block here. combine_ns: for the record. */
void uplink_together_combined(uplink_together_t *together, const struct uplink_block *block,
                              const uplink_weights_t *weights, uint64_t combine_ns);
uint64_t uplink_together_unsent(const uplink_together_t *together); /* messages that could not be handed over */

#endif
