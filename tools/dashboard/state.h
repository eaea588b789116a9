/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the live page and /metrics know of a network: the central node's status messages put together. A status is
 * believed only as far as it has the members and shapes of docs/wire.md. */
#ifndef TUTTI_TOOLS_DASHBOARD_STATE_H
#define TUTTI_TOOLS_DASHBOARD_STATE_H

#include "base/config.h"

#include <jansson.h>

struct dashboard_state {
    const struct config *config;
    json_t *status; /* the newest, without slices; NULL before the first */
    json_t *ap;     /* [n_ap] newest of each, null until told */
    json_t *user;   /* [n_ue] */
    bool linked;    /* the central node is there */
    bool over;      /* and has said that the run is over */
};

int dashboard_state_create(struct dashboard_state *state, const struct config *config);
void dashboard_state_destroy(struct dashboard_state *state);
/* Takes one control message. Returns the event for viewers as JSON without line breaks, caller frees; NULL when it is
 * no status. */
char *dashboard_state_take(struct dashboard_state *state, const char *json);
/* Whether the central node is there, as such an event. */
char *dashboard_state_link(struct dashboard_state *state, bool linked, bool over);
/* Everything, for a viewer that comes: the network's shape and what is known. Caller frees; NULL without memory. */
char *dashboard_state_all(const struct dashboard_state *state);

#endif
