/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_visitors.h"

#include "base/error.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define REFUSED_LOG_PERIOD_NS 1000000000u

enum { MAX_VISITORS = 1024 /* a higher descriptor shares a place: then only names and counts may be wrong */ };

/* A connection on whose descriptor nobody has said hello yet. */
struct visitor {
    bool pending;
    char address[64];
};

struct hub_visitors {
    struct link *link;
    uint64_t last_refused_log_ns;
    struct visitor visitor[MAX_VISITORS]; /* by descriptor */
};

int hub_visitors_create(hub_visitors_t **visitors, struct link *link)
{
    hub_visitors_t *v = *visitors = calloc(1, sizeof *v);
    if (!v) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for its visitors", link->endpoint);
    }
    v->link = link;
    return TUTTI_OK;
}

void hub_visitors_destroy(hub_visitors_t *visitors)
{
    free(visitors);
}

static struct visitor *visitor_of(hub_visitors_t *visitors, uint32_t descriptor)
{
    return &visitors->visitor[descriptor % MAX_VISITORS];
}

static void on_accepted(struct visitor *visitor, uint32_t descriptor)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    visitor->pending = true;
    snprintf(visitor->address, sizeof visitor->address, "unknown"); /* gone before we looked */
    if (getpeername((int)descriptor, (struct sockaddr *)&address, &size)) {
        return;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    if (address.ss_family == AF_INET) {
        char text[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(visitor->address, sizeof visitor->address, "%s:%u", text, ntohs(in->sin_port));
    } else {
        snprintf(visitor->address, sizeof visitor->address, address.ss_family == AF_UNIX ? "local" : "other");
    }
}

/* True if it was one that had said hello. */
static bool on_disconnected(hub_visitors_t *visitors, struct visitor *visitor, uint64_t now_ns)
{
    struct link *link = visitors->link;
    if (!visitor->pending) {
        return true;
    }
    visitor->pending = false;
    link->counters.handshake_refused++;
    if (!visitors->last_refused_log_ns || now_ns - visitors->last_refused_log_ns >= REFUSED_LOG_PERIOD_NS) {
        visitors->last_refused_log_ns = now_ns;
        log_write(LOG_WARNING, "hub", "HANDSHAKE-REFUSED address=%s endpoint=%s total=%" PRIu64, visitor->address,
                  link->endpoint, link->counters.handshake_refused);
    }
    return false;
}

bool hub_visitors_watch(hub_visitors_t *visitors, int max_events, uint64_t now_ns, bool *broken)
{
    uint32_t descriptor;
    for (int i = 0; i < max_events; i++) {
        const int kind = link_monitor_next(visitors->link, &descriptor);
        if (kind == 0) {
            return true;
        }
        struct visitor *visitor = visitor_of(visitors, descriptor);
        if (kind == ZMQ_EVENT_ACCEPTED) {
            on_accepted(visitor, descriptor);
        } else {
            *broken |= on_disconnected(visitors, visitor, now_ns);
        }
    }
    return false;
}

void hub_visitors_admit(hub_visitors_t *visitors, int descriptor)
{
    if (descriptor >= 0) {
        visitor_of(visitors, (uint32_t)descriptor)->pending = false;
    }
}
