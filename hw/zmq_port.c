/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/zmq_port.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_BYTES = 8, ENDPOINT_ROOM = 256 };

struct end {
    void *socket, *monitor;
    char endpoint[ENDPOINT_ROOM];
};

struct zmq_port {
    struct end give, take;
    void *context;
    int max_samples;
    const tutti_cf32 *out;
    tutti_cf32 *in;
    int n, given, taken;
    bool requested, asked; /* a request of theirs waits; one of ours is on its way */
    uint32_t request_samples;
    tutti_cf32 *surplus; /* [max_samples] */
    int n_surplus;
    uint64_t bytes;
};

/* Sockets -------------------------------------------------------------------------------------------------------- */

static int end_fail(const struct end *end, const char *what)
{
    return error_set(TUTTI_EIO, "%s %s: %s", what, end->endpoint, zmq_strerror(errno));
}

/* Notices of a peer that leaves. Their place has a number of its own: libzmq takes a closed socket's away when a thread
 * of its gets to it, and the next socket may lie where that one lay. */
static int end_watch(struct end *end, void *context)
{
    static atomic_ulong n_place;
    char place[64];
    snprintf(place, sizeof place, "inproc://zmq-port-%lu", atomic_fetch_add(&n_place, 1));
    if (zmq_socket_monitor(end->socket, place, ZMQ_EVENT_DISCONNECTED)) {
        return end_fail(end, "cannot watch");
    }
    end->monitor = zmq_socket(context, ZMQ_PAIR);
    return end->monitor && zmq_connect(end->monitor, place) == 0 ? TUTTI_OK : end_fail(end, "cannot watch");
}

static int end_open(struct end *end, void *context, int type, const char *endpoint, int max_samples)
{
    const int none = 0, on = 1;
    const int64_t most = 8 * (int64_t)SAMPLE_BYTES * max_samples + 4096; /* far beyond the rules: not even taken in */
    snprintf(end->endpoint, sizeof end->endpoint, "%s", endpoint);
    end->socket = zmq_socket(context, type);
    if (!end->socket || zmq_setsockopt(end->socket, ZMQ_LINGER, &none, sizeof none) ||
        zmq_setsockopt(end->socket, ZMQ_MAXMSGSIZE, &most, sizeof most)) {
        return end_fail(end, "no socket for");
    }
    if (type == ZMQ_REQ && (zmq_setsockopt(end->socket, ZMQ_REQ_RELAXED, &on, sizeof on) ||
                            zmq_setsockopt(end->socket, ZMQ_REQ_CORRELATE, &on, sizeof on))) {
        return end_fail(end, "no socket for");
    }
    const int status = end_watch(end, context);
    if (status < 0) {
        return status;
    }
    const int opened = type == ZMQ_REP ? zmq_bind(end->socket, endpoint) : zmq_connect(end->socket, endpoint);
    return opened == 0 ? TUTTI_OK : end_fail(end, type == ZMQ_REP ? "cannot listen at" : "cannot connect to");
}

static void end_close(struct end *end)
{
    if (end->monitor) {
        zmq_socket_monitor(end->socket, NULL, 0);
        zmq_close(end->monitor);
    }
    if (end->socket) {
        zmq_close(end->socket);
    }
    end->socket = end->monitor = NULL;
}

int zmq_port_create(zmq_port_t **port, const struct zmq_port_settings *settings)
{
    zmq_port_t *p = *port = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    p->context = settings->context;
    p->max_samples = settings->max_samples;
    p->surplus = calloc((size_t)p->max_samples, sizeof *p->surplus);
    if (!p->surplus) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    const int status = end_open(&p->give, settings->context, ZMQ_REP, settings->give_at, p->max_samples);
    return status < 0 ? status : end_open(&p->take, settings->context, ZMQ_REQ, settings->take_at, p->max_samples);
}

void zmq_port_destroy(zmq_port_t *port)
{
    if (!port) {
        return;
    }
    end_close(&port->give);
    end_close(&port->take);
    free(port->surplus);
    free(port);
}

/* The other end is gone: there is only one, so any leaving is the end of it. */
static bool end_left(const struct end *end)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    const bool left = zmq_msg_recv(&message, end->monitor, ZMQ_DONTWAIT) >= 0;
    zmq_msg_close(&message);
    return left;
}

/* Samples -------------------------------------------------------------------------------------------------------- */

void zmq_port_begin(zmq_port_t *port, const tutti_cf32 *give, tutti_cf32 *take, int n)
{
    port->out = give;
    port->in = take;
    port->n = n;
    port->given = give ? 0 : n;
    if (!take) {
        port->taken = n;
        return;
    }
    port->taken = port->n_surplus < n ? port->n_surplus : n;
    memcpy(take, port->surplus, (size_t)port->taken * sizeof *take);
    port->n_surplus -= port->taken;
    memmove(port->surplus, port->surplus + port->taken, (size_t)port->n_surplus * sizeof *take);
}

static int bad(const struct end *end, const char *what, size_t n_bytes)
{
    return error_set(TUTTI_EFORMAT, "%s: %s of %zu bytes", end->endpoint, what, n_bytes);
}

/* GNU Radio says how many it can take, srsRAN sends one byte and takes all there is. */
static int take_request(zmq_port_t *port)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    int status = TUTTI_OK;
    if (zmq_msg_recv(&message, port->give.socket, ZMQ_DONTWAIT) >= 0) {
        const size_t n = zmq_msg_size(&message);
        port->requested = true;
        port->request_samples = UINT32_MAX;
        port->bytes += n;
        if (n == sizeof port->request_samples) {
            memcpy(&port->request_samples, zmq_msg_data(&message), n);
        }
        if (n == 0 || zmq_msg_more(&message)) {
            status = bad(&port->give, "a request", n);
        }
    }
    zmq_msg_close(&message);
    return status;
}

static void answer(zmq_port_t *port)
{
    const int left = port->n - port->given;
    const int n = (uint32_t)left < port->request_samples ? left : (int)port->request_samples;
    if (zmq_send(port->give.socket, port->out + port->given, (size_t)n * SAMPLE_BYTES, ZMQ_DONTWAIT) >= 0) {
        port->requested = false;
        port->given += n;
        port->bytes += (uint64_t)n * SAMPLE_BYTES;
    }
}

static void ask(zmq_port_t *port)
{
    const uint32_t missing = (uint32_t)(port->n - port->taken);
    port->asked = zmq_send(port->take.socket, &missing, sizeof missing, ZMQ_DONTWAIT) >= 0;
}

/* What is missing, then what is too much. */
static void store(zmq_port_t *port, const tutti_cf32 *samples, int n)
{
    const int missing = port->n - port->taken, now = n < missing ? n : missing;
    memcpy(port->in + port->taken, samples, (size_t)now * sizeof *samples);
    port->taken += now;
    memcpy(port->surplus + port->n_surplus, samples + now, (size_t)(n - now) * sizeof *samples);
    port->n_surplus += n - now;
}

static int take_reply(zmq_port_t *port)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    int status = TUTTI_OK;
    if (zmq_msg_recv(&message, port->take.socket, ZMQ_DONTWAIT) >= 0) {
        const size_t n = zmq_msg_size(&message);
        const int room = port->n - port->taken + port->max_samples - port->n_surplus;
        port->asked = false;
        port->bytes += n;
        if (n % SAMPLE_BYTES || n / SAMPLE_BYTES > (size_t)room || zmq_msg_more(&message)) {
            status = bad(&port->take, "a reply", n);
        } else {
            store(port, zmq_msg_data(&message), (int)(n / SAMPLE_BYTES));
        }
    }
    zmq_msg_close(&message);
    return status;
}

int zmq_port_turn(zmq_port_t *port)
{
    int status = port->requested ? TUTTI_OK : take_request(port);
    /* Behind the request: one of a new end is never answered before the old one's leaving was noticed. */
    if (end_left(&port->give) || end_left(&port->take)) {
        return error_set(TUTTI_ECLOSED, "the other end of %s or %s is gone", port->give.endpoint, port->take.endpoint);
    }
    if (status == TUTTI_OK && port->requested && port->given < port->n) {
        answer(port);
    }
    if (status == TUTTI_OK && !port->asked && port->taken < port->n) {
        ask(port);
    }
    return status == TUTTI_OK && port->asked ? take_reply(port) : status;
}

bool zmq_port_done(const zmq_port_t *port)
{
    return port->given == port->n && port->taken == port->n;
}

int zmq_port_given(const zmq_port_t *port)
{
    return port->given;
}

int zmq_port_taken(const zmq_port_t *port)
{
    return port->taken;
}

uint64_t zmq_port_bytes(const zmq_port_t *port)
{
    return port->bytes;
}

int zmq_port_items(const zmq_port_t *port, zmq_pollitem_t items[ZMQ_PORT_ITEMS])
{
    int n = 0;
    items[n++] = (zmq_pollitem_t){.socket = port->give.monitor, .events = ZMQ_POLLIN};
    items[n++] = (zmq_pollitem_t){.socket = port->take.monitor, .events = ZMQ_POLLIN};
    if (!port->requested) {
        items[n++] = (zmq_pollitem_t){.socket = port->give.socket, .events = ZMQ_POLLIN};
    }
    if (port->taken < port->n) {
        items[n++] = (zmq_pollitem_t){.socket = port->take.socket, .events = port->asked ? ZMQ_POLLIN : ZMQ_POLLOUT};
    }
    return n;
}

/* libzmq takes closed sockets away on a thread of its own. Where others keep that from running, there may be no place
 * for new ones yet, however few are open. */
static int open_anew(zmq_port_t *port, const char *endpoint)
{
    enum { PATIENCE_MS = 10000 };
    int status = end_open(&port->take, port->context, ZMQ_REQ, endpoint, port->max_samples);
    for (int ms = 0; status < 0 && errno == EMFILE && ms < PATIENCE_MS; ms++) {
        end_close(&port->take);
        clock_sleep_until_ns(clock_mono_ns() + 1000000);
        status = end_open(&port->take, port->context, ZMQ_REQ, endpoint, port->max_samples);
    }
    return status;
}

/* Requests of an end that is gone are in the queue before the notice of it, those of a new one behind. Nobody minds an
 * empty answer. The socket that asks is made anew, lest a question of before is answered after. */
int zmq_port_restart(zmq_port_t *port)
{
    enum { MOST_REQUESTS = 4096 }; /* who asks faster than he is answered must not keep anybody here */
    char endpoint[ENDPOINT_ROOM];
    if (!port->requested) {
        take_request(port);
    }
    bool waiting = port->requested;
    while (end_left(&port->give)) {
        continue;
    }
    for (int i = 0; waiting && i < MOST_REQUESTS; i++) {
        zmq_send(port->give.socket, "", 0, ZMQ_DONTWAIT);
        port->requested = false;
        take_request(port);
        waiting = port->requested;
    }
    memcpy(endpoint, port->take.endpoint, sizeof endpoint);
    end_close(&port->take);
    port->asked = false;
    port->n_surplus = port->n = port->given = port->taken = 0;
    return open_anew(port, endpoint);
}
