/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to a hub on which nobody has said hello yet: each that ends so is counted (handshake_refused), and now
 * and then one is named in the log. Owns what the link's monitor tells. */
#ifndef TUTTI_FRONTHAUL_HUB_VISITORS_H
#define TUTTI_FRONTHAUL_HUB_VISITORS_H

#include "fronthaul/link.h"

typedef struct hub_visitors hub_visitors_t;

int hub_visitors_create(hub_visitors_t **visitors, struct link *link); /* the link must outlive it */
void hub_visitors_destroy(hub_visitors_t *visitors);                   /* NULL allowed */
/* Look at up to max_events comings and goings; false: there may be more. Sets *broken if a connection ended on which
 * somebody had said hello, else leaves it. */
bool hub_visitors_watch(hub_visitors_t *visitors, int max_events, uint64_t now_ns, bool *broken);
/* Somebody said hello on this descriptor (negative: unknown). Its acceptance is told before its first frame: watch all
 * there is to watch first. */
void hub_visitors_admit(hub_visitors_t *visitors, int descriptor);

#endif
