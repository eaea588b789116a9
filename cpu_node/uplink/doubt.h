/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether what an AP sent of users' data can be: one AP whose symbols are far stronger than the estimates explain, or
 * that claims to hear a user far better than its antennas can, would spoil every user's. Arithmetic only, no memory. */
#ifndef TUTTI_CPU_NODE_UPLINK_DOUBT_H
#define TUTTI_CPU_NODE_UPLINK_DOUBT_H

#include "cpu_node/uplink/window.h"

/* So many times (30 dB) beyond what is expected; fading and users that nobody knows of stay far below. */
#define UPLINK_DOUBT_FACTOR 1e3

/* to_uplink: amplitude from the estimates' units to those of noise power 1. True: AP `ap` of the block is not to be
 * used. */
bool uplink_is_doubtful(const struct uplink_shape *shape, const struct uplink_block *block, double to_uplink, int ap);

#endif
