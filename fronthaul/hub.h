/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPU node's end: a ZeroMQ ROUTER that knows who is there. One hub for the fronthaul (APs), one for the lab link
 * (users, eavesdroppers, observers). Liveness: a peer that sends nothing, not even a heartbeat, for peer_timeout_ms is
 * down; a message from a peer this hub never welcomed is counted and answered with a request to say hello, its content
 * is not looked at. A hello for an id that is here already makes the hub ask the old one; without an answer in 150 ms,
 * or with its connection gone, the new one replaces it (DOWN, then UP). Observers get any free id of 0..15, whatever
 * they asked for. One thread owns a hub; fh_hub_alive may be asked from any thread. */
#ifndef TUTTI_FRONTHAUL_HUB_H
#define TUTTI_FRONTHAUL_HUB_H

#include "fronthaul/peer.h"

typedef struct fh_hub fh_hub_t;

struct fh_hub_settings {
    const char *endpoint;
    int n_ap, n_ue, n_eve; /* ids 0..n-1 are accepted; 0 = role not accepted here */
    bool observers;
    int cpu, n_cpu;       /* of several central nodes: which one this is, so that those above it are let in; 0, 0 */
    const int *cpu_of_ap; /* [n_ap] copied: whose each AP is, so that the others' are refused; NULL: all are its own */
    uint64_t fingerprint;
    const char *agreement; /* as of fh_hello, copied; compared with peers that send theirs */
    struct fh_welcome welcome;
    double peer_timeout_ms;
    const char *key_dir; /* config_key_dir; not NULL: encrypted, and only keys of its list are let in, each as itself */
    int io_priority;     /* as of fh_hello */
};

int fh_hub_create(fh_hub_t **hub, const struct fh_hub_settings *settings); /* TUTTI_EIO if the endpoint is taken */
void fh_hub_destroy(fh_hub_t *hub);                                        /* NULL allowed */
int fh_hub_wait(fh_hub_t *hub, int extra_fd, int64_t timeout_us, struct fh_event *event);
/* Never blocks, bytes copied. TUTTI_EAGAIN: not there or its queue is full (counted). */
int fh_hub_send(fh_hub_t *hub, enum fh_role role, int id, const uint8_t *data, size_t n_bytes);
int fh_hub_send_control(fh_hub_t *hub, enum fh_role role, int id, const char *json);
/* To every welcomed peer of the role. */
void fh_hub_broadcast_control(fh_hub_t *hub, enum fh_role role, const char *json);
/* From now on this welcome: everybody who is here is welcomed anew at once (peer: DOWN, then UP with it). */
void fh_hub_rewelcome(fh_hub_t *hub, const struct fh_welcome *welcome);
/* Tell every peer that the run is over (peer: FH_EVENT_STOP) and read on until they have left, at most one second. */
void fh_hub_broadcast_stop(fh_hub_t *hub);
bool fh_hub_alive(const fh_hub_t *hub, enum fh_role role, int id);
void fh_hub_busy_poll(fh_hub_t *hub, double busy_poll_us); /* as fh_peer_busy_poll */
void fh_hub_counters(const fh_hub_t *hub, struct fh_counters *counters);

#endif
