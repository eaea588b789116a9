/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The doorkeeper of an encrypted hub: answers ZeroMQ's authentication requests (ZAP, RFC 27) in a thread of its own, so
 * that a busy owner delays nobody's handshake. Only pinned keys are let in; what came through a connection then carries
 * the name of its key. */
#ifndef TUTTI_FRONTHAUL_GUARD_H
#define TUTTI_FRONTHAUL_GUARD_H

#include "fronthaul/keys.h"

typedef struct guard guard_t;

/* Starts answering in this ZeroMQ context; must be there before the hub binds. The list is copied. The thread ends when
 * the context is terminated. */
int guard_create(guard_t **guard, void *context, const struct key_list *list, const char *endpoint);
void guard_destroy(guard_t *guard); /* after zmq_ctx_term; NULL allowed */

#endif
