/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which users a block serves. A user is served while it is alive on the lab link and has reported a block lately; with
 * nobody known to be there (this node has just started) everybody is. A transmitter of phase shifters serves one user
 * per block in turn. Pure function. */
#ifndef TUTTI_CPU_NODE_SCHEDULE_H
#define TUTTI_CPU_NODE_SCHEDULE_H

#include "base/types.h"

struct schedule_user {
    bool alive;           /* on the lab link */
    uint64_t heard_block; /* newest block + 1 it reported, or at which it was welcomed; 0 = never */
};

/* alive [n_ue]: noise is kept away from these; used [n_ue]: served. silent_blocks: how old a report may be. */
void schedule_users(int n_ue, const struct schedule_user *user, uint64_t block, uint64_t silent_blocks,
                    bool one_in_turn, uint8_t *alive, uint8_t *used);

/* Those who wait are not served, and nothing is kept away from them. place [n_ue], -1 = waits. */
void schedule_places(int n_ue, const int32_t *place, uint8_t *alive, uint8_t *used);

#endif
