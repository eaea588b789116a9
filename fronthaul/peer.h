/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nodes' end of a link to the CPU node: a ZeroMQ DEALER that says hello until it is welcomed, notices at once when
 * the connection breaks (socket monitor), sends heartbeats, and reconnects by itself. APs use it for the fronthaul,
 * users and eavesdroppers for the lab link, the tutti tool to watch. One thread owns a peer; that thread is the node's,
 * never the slot thread. */
#ifndef TUTTI_FRONTHAUL_PEER_H
#define TUTTI_FRONTHAUL_PEER_H

#include "base/types.h"

/* CPU: of several central nodes, one with a higher id than the one it calls. */
enum fh_role { FH_ROLE_AP, FH_ROLE_UE, FH_ROLE_OBSERVER, FH_ROLE_EVE, FH_ROLE_CPU, FH_N_ROLE };

/* What a node tells of itself in hello; refused if version or fingerprint differ, or the id is taken by a live peer. */
struct fh_hello {
    enum fh_role role;
    int id;
    int cpu;               /* which central node is called: whose key is expected at the other end */
    uint64_t fingerprint;  /* config_fingerprint; observers: 0 = not compared */
    const char *agreement; /* config_agreement, copied: a refusal then names the key that differs; NULL = none */
    const char *key_dir;   /* config_key_dir: where this node's key is; NULL = not encrypted */
    int io_priority;       /* SCHED_FIFO priority of ZeroMQ's threads, as far as allowed; 0 = ordinary */
};

/* What the CPU node answers. */
struct fh_welcome {
    uint32_t session; /* new at every start of the CPU node */
    tutti_tick epoch;
};

enum fh_event_kind {
    FH_EVENT_NONE,    /* timed out */
    FH_EVENT_UP,      /* welcomed: hub: a peer said hello; peer: welcome is filled */
    FH_EVENT_DOWN,    /* connection broken, silent for peer_timeout, or said goodbye */
    FH_EVENT_DATA,    /* a data message (wire.h) in data, n_bytes: valid until the next wait on the same object */
    FH_EVENT_CONTROL, /* a JSON text in data (NUL-terminated), same life */
    FH_EVENT_FD,      /* the extra descriptor is readable */
    FH_EVENT_STOP,    /* peer: the CPU node ends the run. Both: rt_stop_requested, told once per object */
    FH_EVENT_REFUSED  /* peer: hello refused for good; error_text says why */
};

struct fh_event {
    enum fh_event_kind kind;
    enum fh_role role; /* hub: who */
    int id;
    const uint8_t *data;
    size_t n_bytes;
    struct fh_welcome welcome;
};

struct fh_counters {
    uint64_t sent, received, dropped_full, unknown_peer, bad_control, refused, reconnects;
    uint64_t classified;        /* frames looked into at all: what a stranger sent is never among them */
    uint64_t handshake_refused; /* hub: connections that ended without a hello; peer: attempts the CPU node refused */
};

typedef struct fh_peer fh_peer_t;

int fh_peer_create(fh_peer_t **peer, const char *endpoint, const struct fh_hello *hello, double peer_timeout_ms);
/* Says goodbye (bounded to 200 ms). NULL allowed. */
void fh_peer_destroy(fh_peer_t *peer);
/* Blocks up to timeout_us (< 0: for ever) for the next event; extra_fd (or -1) is watched too but not read. */
int fh_peer_wait(fh_peer_t *peer, int extra_fd, int64_t timeout_us, struct fh_event *event);
/* Never blocks: TUTTI_EAGAIN when not welcomed or the queue is full (counted). The bytes are copied. */
int fh_peer_send(fh_peer_t *peer, const uint8_t *data, size_t n_bytes);
int fh_peer_send_control(fh_peer_t *peer, const char *json);
/* From now on look for messages this long before every sleep: lower latency for a core's time. 0, the default: never.
 */
void fh_peer_busy_poll(fh_peer_t *peer, double busy_poll_us);
void fh_peer_counters(const fh_peer_t *peer, struct fh_counters *counters);
/* One line of the log, for a program's end. */
void fh_counters_log(const struct fh_counters *counters, const char *endpoint);

#endif
