/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connections of a hub's ROUTER as numbers, so that who sent a frame can be compared, stored and answered. 0 is
 * nobody. A route belongs to one connection and is not used again. */
#ifndef TUTTI_FRONTHAUL_HUB_ROUTE_H
#define TUTTI_FRONTHAUL_HUB_ROUTE_H

#include "fronthaul/link.h"

/* Of the last frame, the first of its message. 0: the connection brought an identity of its own, so it is not ours. */
uint64_t hub_route_of_frame(struct link *link);
/* Non-blocking. TUTTI_EAGAIN: its queue is full. TUTTI_ECLOSED: the connection is gone. */
int hub_route_send(struct link *link, uint64_t route, const void *data, size_t n_bytes);
void hub_route_send_text(struct link *link, uint64_t route, const char *text);

#endif
