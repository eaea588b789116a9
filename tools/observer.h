/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that talk to the central node of a running network, as observers on its lab link. */
#ifndef TUTTI_TOOLS_OBSERVER_H
#define TUTTI_TOOLS_OBSERVER_H

#include "base/config.h"
#include "fronthaul/peer.h"

/* What fh_peer_create says. */
int observer_create(fh_peer_t **peer, const struct config *config);

struct observer_question {
    const char *text; /* a control message, sent once the central node welcomes */
    /* Every control message that comes: 0 it goes on, 1 that was the answer, negative with its sentence. */
    int (*hear)(void *context, const char *text);
    void *context;
    uint64_t deadline_ns; /* monotonic; whoever hears may put it off */
};
/* Asks until the answer. Errors: no answer by the deadline, the end of the run, a refusal, what `hear` returns. */
int observer_ask(struct observer_question *question, const struct config *config);
uint64_t observer_deadline_ns(void); /* as long as an answer may take, from now */

#endif
