/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/tap.h"

#include "base/endpoint.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { PORT_ROOM = 288, QUEUE_BYTES = 4 << 20 };

struct tap_port {
    int radio, antenna;
    char at[PORT_ROOM];
    void *socket;
};

struct tap {
    bool transmitted; /* or received */
    int chunk, n_port;
    bool *needs;           /* [n_radio] */
    struct tap_port *port; /* [n_port] */
    void *context;
};

/* Create --------------------------------------------------------------------------------------------------------- */

static int port_fail(const struct tap_port *port)
{
    return error_set(TUTTI_EIO, "cannot listen at %s: %s; another air.tap.endpoint may be free", port->at,
                     zmq_strerror(errno));
}

/* Some MiB wait for a reader that is slow, not more. */
static int open_port(struct tap *t, struct tap_port *port)
{
    const int none = 0, message = TAP_HEADER_BYTES + t->chunk * (int)sizeof(tutti_cf32);
    const int queue = QUEUE_BYTES / message > 2 ? QUEUE_BYTES / message : 2;
    port->socket = zmq_socket(t->context, ZMQ_PUB);
    if (!port->socket || zmq_setsockopt(port->socket, ZMQ_LINGER, &none, sizeof none) ||
        zmq_setsockopt(port->socket, ZMQ_SNDHWM, &queue, sizeof queue) || zmq_bind(port->socket, port->at)) {
        return port_fail(port);
    }
    return TUTTI_OK;
}

static int open_ports(struct tap *t, const struct config *config, const struct links *links)
{
    int status = TUTTI_OK, i = 0;
    for (int r = 0; r < links->n_radio; r++) {
        const struct links_radio *const radio = &links->radio[r];
        for (int a = 0; status == TUTTI_OK && config_taps(config, links_role(radio), radio->id) && a < radio->n_ant;
             a++) {
            struct tap_port *const port = &t->port[i];
            *port = (struct tap_port){.radio = r, .antenna = a};
            endpoint_tcp_at(port->at, sizeof port->at, config->air.tap.endpoint, i++);
            t->needs[r] = !t->transmitted;
            status = open_port(t, port);
            if (status == TUTTI_OK) {
                log_write(LOG_INFO, "air", "TAP %s%d antenna=%d direction=%s at=%s",
                          config_role_name(links_role(radio)), radio->id, a, t->transmitted ? "tx" : "rx", port->at);
            }
        }
    }
    return status;
}

static int count_ports(const struct config *config, const struct links *links)
{
    int n = 0;
    for (int r = 0; r < links->n_radio; r++) {
        const struct links_radio *const radio = &links->radio[r];
        n += config_taps(config, links_role(radio), radio->id) ? radio->n_ant : 0;
    }
    return n;
}

int tap_create(tap_t **tap, const struct config *config, const struct links *links, int chunk)
{
    *tap = NULL;
    if (!*config->air.tap.endpoint) {
        return TUTTI_OK;
    }
    tap_t *const t = *tap = calloc(1, sizeof *t);
    if (!t) {
        return error_set(TUTTI_ENOMEM, "no memory for air.tap");
    }
    t->chunk = chunk;
    t->transmitted = config->air.tap.direction == CONFIG_TAP_TX;
    t->n_port = count_ports(config, links);
    t->needs = calloc((size_t)links->n_radio, sizeof *t->needs);
    t->port = calloc((size_t)t->n_port, sizeof *t->port);
    t->context = zmq_ctx_new();
    if (!t->needs || !t->port || !t->context || zmq_ctx_set(t->context, ZMQ_MAX_SOCKETS, 16 + t->n_port)) {
        return error_set(TUTTI_ENOMEM, "no memory for %d ports of air.tap", t->n_port);
    }
    if (!endpoint_is_loopback(config->air.tap.endpoint)) {
        log_write(LOG_WARNING, "air", "air.tap.endpoint %s: samples leave this host, and are not encrypted",
                  config->air.tap.endpoint);
    }
    return open_ports(t, config, links);
}

void tap_destroy(tap_t *tap)
{
    if (!tap) {
        return;
    }
    for (int i = 0; tap->port && i < tap->n_port; i++) {
        if (tap->port[i].socket) {
            zmq_close(tap->port[i].socket);
        }
    }
    if (tap->context) {
        zmq_ctx_term(tap->context);
    }
    free(tap->needs);
    free(tap->port);
    free(tap);
}

const bool *tap_needs(const tap_t *tap)
{
    return tap ? tap->needs : NULL;
}

/* A chunk -------------------------------------------------------------------------------------------------------- */

static uint8_t *put_u64(uint8_t *at, uint64_t value, bool big_endian)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> 8 * (big_endian ? 7 - i : i));
    }
    return at + 8;
}

/* GNU Radio's gr-zeromq/lib/tag_headers.cc: numbers little-endian; name, value and source as pmt_serialize writes them:
 * numbers big-endian. */
static uint8_t *put_header(uint8_t *at, tutti_tick tick)
{
    static const uint8_t magic[] = {0xf0, 0x5f, 0x01}, name[] = "\x02\x00\x0atutti_tick", uint64 = 0x0b,
                         no_source = 0x01;
    memcpy(at, magic, sizeof magic);
    at = put_u64(at + sizeof magic, tick, false);
    at = put_u64(at, 1, false);
    at = put_u64(at, tick, false); /* on the first sample */
    memcpy(at, name, sizeof name - 1);
    at += sizeof name - 1;
    *at++ = uint64;
    at = put_u64(at, tick, true);
    *at++ = no_source;
    return at;
}

/* Samples outside [from, to) count as zero. */
static void put_samples(uint8_t *at, const tutti_cf32 *samples, int from, int to, int n)
{
    memset(at, 0, (size_t)n * sizeof *samples);
    if (samples && from < to) {
        memcpy(at + (size_t)from * sizeof *samples, samples + from, (size_t)(to - from) * sizeof *samples);
    }
}

static void publish(const struct tap *t, const struct tap_port *port, tutti_tick tick, const tutti_cf32 *samples,
                    int from, int to)
{
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, TAP_HEADER_BYTES + (size_t)t->chunk * sizeof *samples)) {
        return; /* no memory: a chunk that is missed */
    }
    const tutti_cf32 *const antenna = samples ? samples + (size_t)port->antenna * (size_t)t->chunk : NULL;
    put_samples(put_header(zmq_msg_data(&message), tick), antenna, from, to, t->chunk);
    if (zmq_msg_send(&message, port->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&message);
    }
}

void tap_send(tap_t *t, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out)
{
    for (int i = 0; t && i < t->n_port; i++) {
        const struct tap_port *const port = &t->port[i];
        const struct mixer_input *const sent = &in[port->radio];
        if (t->transmitted) {
            publish(t, port, tick, sent->samples, sent->from, sent->to);
        } else if (out[port->radio].samples) {
            publish(t, port, tick, out[port->radio].samples, 0, t->chunk);
        }
    }
}
