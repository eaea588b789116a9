/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What both ends of a link share: one ZeroMQ context, one socket, its monitor, and waiting on all of it with
 * microsecond timeouts. One thread owns a link. */
#ifndef TUTTI_FRONTHAUL_LINK_H
#define TUTTI_FRONTHAUL_LINK_H

#include "fronthaul/control.h"
#include "fronthaul/keys.h"

#include <zmq.h>

struct link {
    void *context, *socket, *monitor;
    int socket_fd, monitor_fd;
    bool frame_open;
    zmq_msg_t frame; /* the last frame received; its bytes live until the next link_recv */
    char *text;      /* [CONTROL_MAX_BYTES + 1] the last control text, NUL-terminated */
    bool socket_quiet,
        monitor_quiet;     /* nothing was there at the last look, and no descriptor has said otherwise since */
    unsigned n_since_poll; /* events handed out since the descriptors were last looked at */
    bool stop_told;
    int n_connections;     /* before link_open: how many will be there at once, beyond the first */
    int io_priority;       /* before link_open: SCHED_FIFO priority of ZeroMQ's threads; 0 = ordinary */
    uint64_t busy_poll_ns; /* look for this long before sleeping */
    const char *endpoint;  /* owner's copy, for error texts */
    struct fh_counters counters;
};

enum link_class { LINK_DATA, LINK_CONTROL, LINK_GARBAGE };

/* tcp://address:port with port 1 to 65535, or ipc://path; ZeroMQ itself takes port 99999 for 34463. */
int link_check_endpoint(const char *endpoint);
/* The endpoint as ZeroMQ wants it, in numbers where it cannot look names up itself; sets what IPv6 needs on the open
 * link. Allocated, NULL with the error set. A name to connect to stays a name: ZeroMQ looks it up at every attempt. */
char *link_address(struct link *link, bool listening);
/* socket_type ZMQ_DEALER or ZMQ_ROUTER; monitor_events a mask of ZMQ_EVENT_*. On failure what was made stays for
 * link_close. */
int link_open(struct link *link, int socket_type, int monitor_events, double peer_timeout_ms);
/* Waits up to linger_ms for queued messages to leave. Half-open links allowed. */
void link_close(struct link *link, int linger_ms);

/* Sleep until a socket, the monitor, the stop request (told once) or extra_fd is ready, or the clock (clock_mono_ns)
 * passed until_ns or timer_ns (UINT64_MAX: never). Fills event for stop and extra_fd. Sleep only right after link_recv
 * and link_monitor_next had nothing, because ZeroMQ's descriptors tell edges. */
int link_sleep(struct link *link, int extra_fd, uint64_t until_ns, uint64_t timer_ns, struct fh_event *event);
/* The next monitor event (ZMQ_EVENT_*) and its value, 0 if none. */
int link_monitor_next(struct link *link, uint32_t *value);
/* Before bind or connect: encrypt, as the one who is known by this key (and lets others in as a guard says), or as one
 * who expects that key at the other end. */
int link_encrypt_server(struct link *link, const struct key_pair *own);
int link_encrypt_client(struct link *link, const struct key_pair *own, const char *server_key);
/* Receive one frame without blocking: 1 received, 0 nothing there, or a negative code. */
int link_recv(struct link *link);
bool link_more(const struct link *link);
/* Receive and forget the rest of a message. */
void link_drop_rest(struct link *link);
/* What the (last) frame is; a control text is copied to link->text and parsed. */
enum link_class link_classify(struct link *link, struct control *control);
/* Non-blocking send of a frame, `more` of the same message to follow. TUTTI_EAGAIN: the queue is full; TUTTI_ECLOSED: a
 * ROUTER has nobody of that identity. */
int link_send_part(struct link *link, const void *data, size_t n_bytes, bool more);
/* Non-blocking send of one frame, TUTTI_EAGAIN if the queue is full or nobody is there. */
int link_send(struct link *link, const void *data, size_t n_bytes);

/* An error of ZeroMQ in words, with the endpoint. */
int link_error(const struct link *link, const char *what);

#endif
