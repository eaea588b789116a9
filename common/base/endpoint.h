/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Endpoints as people write them: tcp://HOST:PORT, ipc://PATH, unix://PATH. One grammar for the network file, the
 * fronthaul and the emulated air: what a check accepts, a socket can use. HOST is an IPv4 address, an IPv6 address in
 * brackets, a name that is looked up, a network interface of this host, or * (listening: every address; connecting:
 * this host). */
#ifndef TUTTI_BASE_ENDPOINT_H
#define TUTTI_BASE_ENDPOINT_H

#include "base/types.h"

enum { ENDPOINT_HOST_ROOM = 256 };

struct endpoint_tcp {
    char host[ENDPOINT_HOST_ROOM]; /* without brackets */
    int port;                      /* 1..65535 */
    bool any;                      /* host is * */
    bool ipv6;                     /* host is an IPv6 address */
};

/* False unless it is tcp:// with a possible host and port. Looks nothing up. */
bool endpoint_parse_tcp(const char *endpoint, struct endpoint_tcp *tcp);
/* localhost, 127.x.y.z, [::1]: never leaves this host, whatever names mean here. */
bool endpoint_is_loopback(const char *endpoint);
/* A tcp:// endpoint with its port moved on by so many, as libzmq writes it. Empty unless it is one. */
void endpoint_tcp_at(char *text, size_t room, const char *endpoint, int ports);

/* The address to listen at or to connect to, as numbers: "1.2.3.4", "::1", "*" (listening only; also for this host's
 * own name when it stands for a loopback address here). Looks up interfaces first, then names; may block as the
 * resolver does. Errors: TUTTI_EIO with a sentence. */
int endpoint_resolve(const struct endpoint_tcp *tcp, bool listening, char *address, size_t room, bool *ipv6);
/* Whether host is an interface of this host. */
bool endpoint_is_interface(const char *host);

#endif
