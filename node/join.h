/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node's way into the network: hello to the CPU node, and the welcome that tells session and epoch. Call it with the
 * radio open, for from the welcome on the link must be served. */
#ifndef TUTTI_NODE_JOIN_H
#define TUTTI_NODE_JOIN_H

#include "base/config.h"
#include "fronthaul/peer.h"

/* APs join the fronthaul of their central node, users and eavesdroppers the lab link. Blocks until the welcome; every
 * 10 s the log says what is waited for. *peer is published before anything can fail. Errors: TUTTI_EREFUSED (error_text
 * says why), TUTTI_ESTOPPED, what fh_peer_create says. */
int node_join(fh_peer_t **peer, const struct config *config, enum fh_role role, int id, struct fh_welcome *welcome);
/* The next event of a node that has joined, or of `fd`: 1. 0: the node is to stop, because it was asked to or because
 * the run has ended. Negative: the link cannot go on, TUTTI_EREFUSED among others. */
int node_next_event(fh_peer_t *peer, int fd, struct fh_event *event);
/* The endpoint that a node joins. */
const char *node_endpoint(const struct config *config, enum fh_role role, int id);

#endif
