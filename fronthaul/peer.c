/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/peer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/rt.h"
#include "fronthaul/keys.h"
#include "fronthaul/link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HELLO_PERIOD_NS 250000000u
#define HELLO_MIN_PERIOD_NS 20000000u
#define REFUSED_PERIOD_NS 1000000000u
#define REDIAL_NS 500000000u
#define REFUSED_LOG_PERIOD_NS 5000000000u

#define HANDSHAKE_FAILED                                                                                               \
    (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

enum { GOODBYE_LINGER_MS = 200, EVENTS_PER_POLL = 8 };

enum peer_state { SEEKING, WELCOMED, REFUSED };

struct fh_peer {
    struct link link;
    char *endpoint, *hello_text;
    char *address; /* the endpoint as ZeroMQ wants it */
    struct fh_hello hello;
    uint64_t timeout_ns;
    enum peer_state state;
    struct fh_welcome welcome;
    char reason[256];
    uint64_t last_hello_ns, next_hello_ns, next_heartbeat_ns, last_heard_ns;
    uint64_t redial_ns, last_refused_log_ns; /* redial_ns 0: ZeroMQ sees to the connection itself */
    bool connected, ever_welcomed;
    bool broken;                           /* the connection is, but what came through it is not all read */
    bool tell_down, tell_up, tell_refused; /* events not yet handed out, in this order */
};

static int expect_key(fh_peer_t *p, const struct key_pair *own, const struct key_list *list)
{
    char name[KEY_NAME_ROOM];
    keys_name(name, FH_ROLE_CPU, p->hello.cpu);
    const struct key_pin *const pin = keys_find_name(list, name);
    return pin ? link_encrypt_client(&p->link, own, pin->text)
               : error_set(TUTTI_EFORMAT, "%s/public.keys: the key of %s is not in it", p->hello.key_dir, name);
}

static int encrypt(fh_peer_t *p)
{
    char name[KEY_NAME_ROOM];
    struct key_pair own;
    struct key_list list;
    keys_name(name, p->hello.role, p->hello.id);
    int error = keys_supported();
    error = error ? error : keys_read_pair(&own, p->hello.key_dir, name);
    if (error) {
        return error;
    }
    error = keys_read_list(&list, p->hello.key_dir);
    if (!error) {
        error = expect_key(p, &own, &list);
        keys_free_list(&list);
    }
    keys_forget(&own);
    return error;
}

/* A socket in a folder that another user can write is his: what was said there would be said to him. Making the folder
 * before the CPU node does keeps others from it. */
static int check_place(const char *endpoint)
{
    struct stat there;
    if (strncmp(endpoint, "ipc://", 6) != 0 || endpoint[6] == '@') {
        return TUTTI_OK;
    }
    if (folder_make_for(endpoint + 6)) {
        return error_set(TUTTI_EIO, "%s: %s", endpoint, error_text());
    }
    if (lstat(endpoint + 6, &there) == 0 && !folder_is_ours(&there)) {
        return error_set(TUTTI_EIO, "%s: the socket belongs to user %u, not to this one", endpoint,
                         (unsigned)there.st_uid);
    }
    return TUTTI_OK;
}

int fh_peer_create(fh_peer_t **peer, const char *endpoint, const struct fh_hello *hello, double peer_timeout_ms)
{
    *peer = NULL;
    if (!(peer_timeout_ms >= 10 && peer_timeout_ms <= 3600e3)) {
        return error_set(TUTTI_EINVAL, "peer timeout %g ms: allowed 10 to 3600000", peer_timeout_ms);
    }
    int error = link_check_endpoint(endpoint);
    error = error ? error : check_place(endpoint);
    if (error) {
        return error;
    }
    fh_peer_t *p = *peer = calloc(1, sizeof *p);
    if (!p || !(p->endpoint = strdup(endpoint)) || !(p->hello_text = control_write_hello(hello))) {
        return error_set(TUTTI_ENOMEM, "no memory for a link to %s", endpoint);
    }
    p->link.endpoint = p->endpoint;
    p->link.io_priority = hello->io_priority;
    p->hello = *hello;
    p->timeout_ns = (uint64_t)(peer_timeout_ms * 1e6);
    error = link_open(&p->link, ZMQ_DEALER, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | HANDSHAKE_FAILED,
                      peer_timeout_ms);
    error = error || !hello->key_dir ? error : encrypt(p);
    p->hello.key_dir = p->hello.agreement = NULL; /* the caller's */
    if (error) {
        return error;
    }
    p->address = link_address(&p->link, false);
    if (!p->address) {
        return TUTTI_EIO;
    }
    return zmq_connect(p->link.socket, p->address) ? link_error(&p->link, "cannot connect") : TUTTI_OK;
}

void fh_peer_destroy(fh_peer_t *peer)
{
    if (!peer) {
        return;
    }
    const bool welcomed = peer->state == WELCOMED;
    if (welcomed) {
        link_send(&peer->link, CONTROL_TEXT_GOODBYE, sizeof CONTROL_TEXT_GOODBYE - 1);
    }
    link_close(&peer->link, welcomed ? GOODBYE_LINGER_MS : 0);
    free(peer->address);
    free(peer->hello_text);
    free(peer->endpoint);
    free(peer);
}

static void say_hello(fh_peer_t *p, uint64_t now_ns)
{
    link_send(&p->link, p->hello_text, strlen(p->hello_text)); /* nobody there: the next one is due soon enough */
    p->last_hello_ns = now_ns;
    p->next_hello_ns = now_ns + HELLO_PERIOD_NS;
}

/* The CPU node is gone or does not know us any more. */
static void lose(fh_peer_t *p, uint64_t now_ns)
{
    if (p->state == WELCOMED) {
        p->state = SEEKING;
        p->next_hello_ns = now_ns;
        p->tell_down |= !p->tell_up; /* an UP nobody has seen needs no DOWN */
        p->tell_up = false;
    }
}

/* After a handshake that failed by what was said, not by silence, ZeroMQ gives up for good. We do not: keys get
 * repaired, and a stranger who answers in the CPU node's place must not end this node. */
static void on_handshake_failed(fh_peer_t *p, int kind, uint64_t now_ns)
{
    const char *reason = "the CPU node does not know this node's key";
    p->link.counters.handshake_refused++;
    if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        reason = "the other end closed the connection: it has another key, or is not a CPU node";
    } else {
        p->redial_ns = now_ns + REDIAL_NS;
    }
    if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        reason = "the other end has another key or another fronthaul.security";
    }
    if (!p->last_refused_log_ns || now_ns - p->last_refused_log_ns >= REFUSED_LOG_PERIOD_NS) {
        p->last_refused_log_ns = now_ns;
        log_write(LOG_WARNING, "link", "HANDSHAKE-FAILED endpoint=%s reason=\"%s\"", p->endpoint, reason);
    }
}

static void redial(fh_peer_t *p)
{
    p->redial_ns = 0;
    p->link.socket_quiet = false;               /* as with sending */
    zmq_disconnect(p->link.socket, p->address); /* may be gone already */
    zmq_connect(p->link.socket, p->address);    /* worked before: the same text */
}

static void run_timers(fh_peer_t *p, uint64_t now_ns)
{
    if (p->redial_ns && now_ns >= p->redial_ns) {
        redial(p);
    }
    if (p->state == SEEKING && p->connected && now_ns >= p->next_hello_ns) {
        say_hello(p, now_ns);
    } else if (p->state == WELCOMED && now_ns >= p->next_heartbeat_ns) {
        link_send(&p->link, CONTROL_TEXT_HEARTBEAT, sizeof CONTROL_TEXT_HEARTBEAT - 1);
        p->next_heartbeat_ns = now_ns + p->timeout_ns / 5;
    }
}

/* When run_timers or the silence check has something to do next; UINT64_MAX: never. */
static uint64_t next_timer_ns(const fh_peer_t *p)
{
    if (p->state == REFUSED || (p->state == SEEKING && !p->connected)) {
        return p->redial_ns ? p->redial_ns : UINT64_MAX;
    }
    const uint64_t silent_ns = p->last_heard_ns + p->timeout_ns;
    return p->state == SEEKING ? p->next_hello_ns
                               : (silent_ns < p->next_heartbeat_ns ? silent_ns : p->next_heartbeat_ns);
}

static bool take_pending(fh_peer_t *p, struct fh_event *event)
{
    if (p->tell_down) {
        p->tell_down = false;
        event->kind = FH_EVENT_DOWN;
    } else if (p->tell_up) {
        p->tell_up = false;
        event->kind = FH_EVENT_UP;
        event->welcome = p->welcome;
    } else if (p->tell_refused) {
        p->tell_refused = false;
        event->kind = FH_EVENT_REFUSED;
        error_set(TUTTI_EREFUSED, "%s: refused by the CPU node: %s", p->endpoint, p->reason);
    } else {
        return false;
    }
    return true;
}

static void on_welcome(fh_peer_t *p, const struct fh_welcome *welcome, uint64_t now_ns)
{
    if (p->state == REFUSED || (p->state == WELCOMED && welcome->session == p->welcome.session)) {
        return;
    }
    lose(p, now_ns);
    p->state = WELCOMED;
    p->broken = false;
    p->welcome = *welcome;
    p->tell_up = true;
    p->next_heartbeat_ns = now_ns + p->timeout_ns / 5;
    p->link.counters.reconnects += p->ever_welcomed;
    p->ever_welcomed = true;
}

static void on_refuse(fh_peer_t *p, const struct control *control, uint64_t now_ns)
{
    if (p->state == REFUSED) {
        return;
    }
    p->link.counters.refused++;
    lose(p, now_ns);
    p->next_hello_ns = now_ns + REFUSED_PERIOD_NS;
    if (control->final) {
        p->state = REFUSED;
        p->tell_refused = true;
        memcpy(p->reason, control->reason, sizeof p->reason);
    }
}

/* What the monitor has seen of the connection, in order. */
static void watch_connection(fh_peer_t *p, uint64_t now_ns)
{
    int kind;
    uint32_t value;
    while ((kind = link_monitor_next(&p->link, &value))) {
        if (kind & HANDSHAKE_FAILED) {
            on_handshake_failed(p, kind, now_ns);
        }
        p->connected = kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        if (!p->connected) {
            p->broken |= p->state == WELCOMED;
        } else if (p->state == SEEKING) {
            p->next_hello_ns = now_ns;
        }
    }
}

static void on_please_hello(fh_peer_t *p, uint64_t now_ns)
{
    const uint64_t soonest_ns = p->last_hello_ns + HELLO_MIN_PERIOD_NS;
    if (p->state == WELCOMED) {
        lose(p, now_ns);
        watch_connection(p, now_ns); /* now, for old news must not break the next welcome */
    } else if (p->state == SEEKING && p->next_hello_ns > soonest_ns) {
        p->next_hello_ns = soonest_ns;
    }
}

/* True if the message is an event for the owner. */
static bool on_control(fh_peer_t *p, const struct control *control, uint64_t now_ns, struct fh_event *event)
{
    char text[CONTROL_MAX_OWN_BYTES];
    switch (control->type) {
    case CONTROL_WELCOME:
        on_welcome(p, &control->welcome, now_ns);
        return false;
    case CONTROL_REFUSE:
        on_refuse(p, control, now_ns);
        return false;
    case CONTROL_PLEASE_HELLO:
        on_please_hello(p, now_ns);
        return false;
    case CONTROL_GOODBYE:
        lose(p, now_ns);
        return false;
    case CONTROL_PING:
        control_write_number(text, CONTROL_PONG, control->number);
        link_send(&p->link, text, strlen(text));
        return false;
    case CONTROL_HEARTBEAT:
    case CONTROL_PONG:
        return false;
    case CONTROL_STOP:
        event->kind = FH_EVENT_STOP;
        return true;
    case CONTROL_HELLO:
        p->link.counters.bad_control++;
        return false;
    default:
        event->kind = FH_EVENT_CONTROL;
        event->data = (const uint8_t *)p->link.text;
        event->n_bytes = strlen(p->link.text);
        return true;
    }
}

/* One received frame; true if it is an event for the owner. */
static bool on_frame(fh_peer_t *p, uint64_t now_ns, struct fh_event *event)
{
    struct control control;
    if (link_more(&p->link)) {
        link_drop_rest(&p->link);
        p->link.counters.bad_control++;
        return false;
    }
    const enum link_class class = link_classify(&p->link, &control);
    control_forget(&control); /* a hello is none of ours */
    p->last_heard_ns = now_ns;
    if (class == LINK_GARBAGE) {
        p->link.counters.bad_control++;
        return false;
    }
    if (class == LINK_CONTROL && !on_control(p, &control, now_ns, event)) {
        return false;
    }
    if (p->state != WELCOMED && event->kind != FH_EVENT_STOP) { /* of a session that is over */
        *event = (struct fh_event){0};
        p->link.counters.unknown_peer++;
        return false;
    }
    if (class == LINK_DATA) {
        event->kind = FH_EVENT_DATA;
        event->data = zmq_msg_data(&p->link.frame);
        event->n_bytes = zmq_msg_size(&p->link.frame);
    }
    p->link.counters.received++;
    return true;
}

/* Read until there is an event (1), nothing is left (0), or an error. */
static int receive(fh_peer_t *p, uint64_t now_ns, struct fh_event *event)
{
    int got;
    while ((got = link_recv(&p->link)) > 0) {
        if (on_frame(p, now_ns, event) || take_pending(p, event)) {
            return 1;
        }
    }
    return got;
}

/* Only after everything that has arrived was read: a peer that slept must not blame the CPU node. */
static void find_silence(fh_peer_t *p, uint64_t now_ns)
{
    if (p->state == WELCOMED && now_ns >= p->last_heard_ns + p->timeout_ns) {
        lose(p, now_ns);
    }
}

/* All that is to be done at now_ns; 1: event filled, 0: nothing, sleep. */
static int step(fh_peer_t *p, uint64_t now_ns, struct fh_event *event)
{
    run_timers(p, now_ns);
    if (take_pending(p, event)) {
        return 1;
    }
    int got = receive(p, now_ns, event);
    if (got) {
        return got;
    }
    watch_connection(p, now_ns);
    if (p->broken) { /* the CPU node's last words may have come in between: first hear them */
        got = receive(p, now_ns, event);
        if (got) {
            return got;
        }
        p->broken = false;
        lose(p, now_ns);
    }
    find_silence(p, now_ns);
    return take_pending(p, event);
}

int fh_peer_wait(fh_peer_t *peer, int extra_fd, int64_t timeout_us, struct fh_event *event)
{
    uint64_t now_ns = clock_mono_ns();
    const uint64_t deadline_ns = timeout_us < 0 ? UINT64_MAX : now_ns + (uint64_t)timeout_us * 1000;
    bool look_only = peer->link.n_since_poll >= EVENTS_PER_POLL; /* a flood must not hide the descriptors */
    *event = (struct fh_event){0};
    for (;; look_only = false) {
        const int got = look_only ? 0 : step(peer, now_ns, event);
        if (got) {
            peer->link.n_since_poll++;
            return got < 0 ? got : TUTTI_OK;
        }
        const int ready =
            link_sleep(&peer->link, extra_fd, look_only ? now_ns : deadline_ns, next_timer_ns(peer), event);
        if (ready < 0 || event->kind != FH_EVENT_NONE) {
            return ready;
        }
        if (!look_only && now_ns >= deadline_ns) {
            return TUTTI_OK;
        }
        now_ns = clock_mono_ns();
    }
}

int fh_peer_send(fh_peer_t *peer, const uint8_t *data, size_t n_bytes)
{
    const int error = peer->state == WELCOMED ? link_send(&peer->link, data, n_bytes) : TUTTI_EAGAIN;
    peer->link.counters.sent += error == TUTTI_OK;
    peer->link.counters.dropped_full += error == TUTTI_EAGAIN;
    return error;
}

int fh_peer_send_control(fh_peer_t *peer, const char *json)
{
    const size_t n_bytes = strlen(json);
    if (json[0] != '{' || n_bytes > CONTROL_MAX_BYTES) {
        return error_set(TUTTI_EINVAL, "%s: a control message is a JSON object of at most %d bytes", peer->endpoint,
                         CONTROL_MAX_BYTES);
    }
    return fh_peer_send(peer, (const uint8_t *)json, n_bytes);
}

void fh_peer_busy_poll(fh_peer_t *peer, double busy_poll_us)
{
    peer->link.busy_poll_ns = (uint64_t)(busy_poll_us * 1e3);
}

void fh_peer_counters(const fh_peer_t *peer, struct fh_counters *counters)
{
    *counters = peer->link.counters;
}

void fh_counters_log(const struct fh_counters *c, const char *endpoint)
{
    log_write(LOG_INFO, "fronthaul",
              "COUNTERS endpoint=%s sent=%" PRIu64 " received=%" PRIu64 " dropped_full=%" PRIu64 " reconnects=%" PRIu64
              " refused=%" PRIu64 " handshake_refused=%" PRIu64 " classified=%" PRIu64 " unknown_peer=%" PRIu64
              " bad_control=%" PRIu64,
              endpoint, c->sent, c->received, c->dropped_full, c->reconnects, c->refused, c->handshake_refused,
              c->classified, c->unknown_peer, c->bad_control);
}
