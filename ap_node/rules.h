/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the central node orders besides vectors: it is the one authority. Until its first message an AP goes by its own
 * file. */
#ifndef TUTTI_AP_NODE_RULES_H
#define TUTTI_AP_NODE_RULES_H

#include "fronthaul/wire.h"

struct ap_rules {
    int local_scheme; /* enum mimo_scheme of streams built here */
    float upsilon, power_mean, power_peak;
    uint64_t stale_blocks, mute_blocks;
};

static inline struct ap_rules rules_of(const struct wire_precoder_meta *meta)
{
    return (struct ap_rules){
        .local_scheme = meta->local_scheme,
        .upsilon = meta->upsilon,
        .power_mean = meta->power_mean,
        .power_peak = meta->power_peak,
        .stale_blocks = meta->stale_blocks,
        .mute_blocks = meta->mute_blocks,
    };
}

#endif
