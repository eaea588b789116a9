/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which users are served: every so many blocks C-ESG ([Mashdour 2026], section 3, rlspa/cesg.h) on the mean Gram matrix
 * of the clustered estimates, the strongest users by it, or a random set. Fed block by block by the slow clock; no
 * thread and no clock of its own. Averages run over soundings: a diagonal entry over the last average_blocks blocks
 * with the user's pilot, another one over those with both pilots (zero if there are none). In fast fading what is off
 * the diagonal averages out, and C-ESG becomes the strongest users. A candidate that is not alive, or not heard for ten
 * rounds of sounding, is not chosen, unless it is one of those always served. A user that stays keeps its place. Hear:
 * O(n_ue^2); gram: O(n_sb n_ap n_ant n_ue^2); a choice costs what C-ESG does. Create allocates, the rest does not. */
#ifndef TUTTI_CPU_NODE_SCHEDULER_H
#define TUTTI_CPU_NODE_SCHEDULER_H

#include "base/config.h"
#include "cpu_node/block.h"

struct scheduler_settings {
    int n_sb, n_ap, n_ant, n_ue, n_served;
    enum config_metric metric;
    int blocks, average_blocks;
    const int *always; /* [n_always], copied */
    int n_always;
    int period; /* blocks between soundings of a user that waits */
    uint64_t seed;
    const int16_t *first; /* [n_served] users of the places at the start, -1 none; copied */
};

/* What a choice was made of. */
struct scheduler_note {
    int n_eligible, n_changed; /* candidates; places with another user than before */
    double rate;               /* C-ESG's of the chosen set, bit/s/Hz; NaN without one */
};

typedef struct scheduler scheduler_t;

int scheduler_create(scheduler_t **scheduler, const struct scheduler_settings *settings);
void scheduler_destroy(scheduler_t *scheduler); /* NULL and half-built allowed */
/* The mean over subbands of a block's Gram matrix, estimates of APs outside a user's cluster left out, [n_ue][n_ue],
 * upper triangle. Uses nothing that the other calls change: another thread may call it. */
void scheduler_gram(scheduler_t *scheduler, const struct cpu_block *block, tutti_cf32 *gram);
/* One block; blocks ascend. sounded, alive [n_ue]; gram [n_ue][n_ue]. n_ap: APs in the block. True if users are to
 * change: user_of_place [n_served] then holds them. */
bool scheduler_hear(scheduler_t *scheduler, uint64_t number, const tutti_cf32 *gram, const uint8_t *sounded,
                    const uint8_t *alive, int n_ap, const int **user_of_place, struct scheduler_note *note);
/* Not before this block: something else changes the network now. */
void scheduler_hold(scheduler_t *scheduler, uint64_t block);

#endif
