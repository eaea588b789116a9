/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/schedule.h"

#include <string.h>

void schedule_users(int n_ue, const struct schedule_user *user, uint64_t block, uint64_t silent_blocks,
                    bool one_in_turn, uint8_t *alive, uint8_t *used)
{
    int n_alive = 0;
    for (int k = 0; k < n_ue; k++) {
        alive[k] = user[k].alive && block <= user[k].heard_block + silent_blocks;
        n_alive += alive[k];
    }
    if (n_alive == 0) {
        memset(alive, 1, (size_t)n_ue);
    }
    memcpy(used, alive, (size_t)n_ue);
    if (!one_in_turn) {
        return;
    }
    memset(used, 0, (size_t)n_ue);
    int turn = n_alive > 0 ? (int)(block % (uint64_t)n_alive) : 0;
    for (int k = 0; k < n_ue; k++) {
        if (alive[k] && turn-- == 0) {
            used[k] = 1;
        }
    }
}

void schedule_places(int n_ue, const int32_t *place, uint8_t *alive, uint8_t *used)
{
    for (int k = 0; k < n_ue; k++) {
        alive[k] = alive[k] && place[k] >= 0;
        used[k] = used[k] && place[k] >= 0;
    }
}
