/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The place where a hub listens: made ready, and never taken from a running program or an ordinary file. */
#ifndef TUTTI_FRONTHAUL_HUB_ENDPOINT_H
#define TUTTI_FRONTHAUL_HUB_ENDPOINT_H

#include "fronthaul/link.h"

/* Listen at link->endpoint; missing directories of an ipc path are made for this user only. TUTTI_EIO if it is taken.
 */
int hub_endpoint_bind(struct link *link);

#endif
