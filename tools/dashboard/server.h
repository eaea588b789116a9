/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dashboard's HTTP server, on libevent: the page, its events (server-sent), /state and /metrics. GET only, on a
 * loopback address only, and only for requests that name one as their host, so that no page of another site can read
 * it. One thread; never blocks. */
#ifndef TUTTI_TOOLS_DASHBOARD_SERVER_H
#define TUTTI_TOOLS_DASHBOARD_SERVER_H

#include "tools/dashboard/state.h"

enum { DASHBOARD_VIEWERS = 64, DASHBOARD_BACKLOG_BYTES = 262144 };

typedef struct dashboard_server dashboard_server_t;

/* listen: "127.0.0.1:8080", port 0 = a free one. TUTTI_EINVAL when it is not a loopback address, TUTTI_EIO when it is
 * taken. The state must outlive the server. */
int dashboard_server_create(dashboard_server_t **server, const char *listen, const struct dashboard_state *state);
void dashboard_server_destroy(dashboard_server_t *server); /* NULL and half-built allowed */
int dashboard_server_port(const dashboard_server_t *server);
/* Serves what is there, without waiting. */
void dashboard_server_turn(dashboard_server_t *server);
/* One event for all viewers; one that has not read DASHBOARD_BACKLOG_BYTES is put out. */
void dashboard_server_tell(dashboard_server_t *server, const char *json);
int dashboard_server_viewers(const dashboard_server_t *server);

#endif
