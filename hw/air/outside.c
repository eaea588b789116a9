/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/outside.h"

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/zmq_port.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 200, PORT_ROOM = 288 };
static const uint64_t SETTLE_NS = 50000000, STALL_EVERY_NS = 10000000000;

struct port {
    int radio, antenna;
    char give_at[PORT_ROOM], take_at[PORT_ROOM];
    zmq_port_t *port;
    tutti_cf32 *give, *take; /* [chunk] */
};

struct outside {
    const struct config *config;
    struct links *links;
    void *context;
    int chunk, n_port;
    struct port *port;     /* [n_port] */
    zmq_pollitem_t *items; /* [1 + n_port * ZMQ_PORT_ITEMS] */
    uint64_t moved_ns, told_ns, bytes;
    struct outside_counters counters;
};

/* Ports ---------------------------------------------------------------------------------------------------------- */

static const char *role_of(const struct links_radio *radio)
{
    return config_role_name(links_role(radio));
}

static int open_port(struct outside *o, struct port *p)
{
    return zmq_port_create(
        &p->port, &(struct zmq_port_settings){
                      .context = o->context, .give_at = p->give_at, .take_at = p->take_at, .max_samples = o->chunk});
}

static int open_ports(struct outside *o)
{
    int status = TUTTI_OK;
    for (int i = 0; status == TUTTI_OK && i < o->n_port; i++) {
        status = open_port(o, &o->port[i]);
    }
    return status;
}

static int place_ports(struct outside *o)
{
    int i = 0;
    for (int r = 0; r < o->links->n_radio; r++) {
        for (int a = 0; a < o->links->radio[r].n_ant; a++, i++) {
            struct port *const p = &o->port[i];
            p->radio = r;
            p->antenna = a;
            endpoint_tcp_at(p->give_at, sizeof p->give_at, o->config->air.zmq.tx, i);
            endpoint_tcp_at(p->take_at, sizeof p->take_at, o->config->air.zmq.rx, i);
            p->give = calloc((size_t)o->chunk, sizeof *p->give);
            p->take = calloc((size_t)o->chunk, sizeof *p->take);
            if (!p->give || !p->take) {
                return error_set(TUTTI_ENOMEM, "out of memory");
            }
        }
    }
    return TUTTI_OK;
}

/* What a flowgraph needs ------------------------------------------------------------------------------------------ */

/* From a transmitting port to a receiving one, with full scales and path gain; the first tap, without delay. */
static tutti_cf32 gain_between(const struct links *links, const struct port *from, const struct port *to)
{
    const struct link *const link = links_between(links, from->radio, to->radio);
    if (!link->active || link->between_aps) {
        return 0;
    }
    return link->gain[to->antenna * links->radio[from->radio].n_ant + from->antenna];
}

static json_t *matrix(const struct outside *o)
{
    json_t *const rows = json_array();
    for (int i = 0; i < o->n_port; i++) {
        json_t *const row = json_array();
        for (int j = 0; j < o->n_port; j++) {
            const tutti_cf32 h = gain_between(o->links, &o->port[j], &o->port[i]);
            json_array_append_new(row, json_pack("[f,f]", (double)crealf(h), (double)cimagf(h)));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Who waits for it finds it whole. */
static int write_whole(const json_t *all, const char *path)
{
    char *part = NULL;
    if (!all || !path || asprintf(&part, "%s.part", path) < 0) {
        return -1;
    }
    const int failed = json_dump_file(all, part, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) || rename(part, path);
    if (failed) {
        unlink(part);
    }
    free(part);
    return failed ? -1 : 0;
}

static int write_links(const struct outside *o)
{
    json_t *const ports = json_array(), *const sigma = json_array();
    for (int i = 0; i < o->n_port; i++) {
        const struct port *const p = &o->port[i];
        const struct links_radio *const radio = &o->links->radio[p->radio];
        json_array_append_new(ports, json_pack("{s:s,s:i,s:i,s:s,s:s}", "role", role_of(radio), "id", radio->id,
                                               "antenna", p->antenna, "tx", p->give_at, "rx", p->take_at));
        json_array_append_new(sigma, json_real((double)radio->noise_sigma));
    }
    json_t *const all = json_pack("{s:f,s:i,s:o,s:o,s:o}", "rate_hz", o->config->frame.sample_rate_hz, "chunk",
                                  o->chunk, "ports", ports, "h", matrix(o), "sigma", sigma);
    char *const path = config_file_path(o->config, o->config->air.zmq.links);
    const int failed = write_whole(all, path);
    json_decref(all);
    const int status = failed ? error_set(TUTTI_EIO, "cannot write %s (air.zmq.links)", path ? path : "") : TUTTI_OK;
    free(path);
    return status;
}

int outside_create(outside_t **outside, const struct config *config, struct links *links, int chunk)
{
    outside_t *o = *outside = calloc(1, sizeof *o);
    if (!o) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    o->config = config;
    o->links = links;
    o->chunk = chunk;
    for (int r = 0; r < links->n_radio; r++) {
        o->n_port += links->radio[r].n_ant;
    }
    o->port = calloc((size_t)o->n_port, sizeof *o->port);
    o->items = calloc(1 + (size_t)o->n_port * ZMQ_PORT_ITEMS, sizeof *o->items);
    o->context = zmq_ctx_new();
    if (!o->port || !o->items || !o->context || zmq_ctx_set(o->context, ZMQ_MAX_SOCKETS, 16 + 8 * o->n_port)) {
        return error_set(TUTTI_ENOMEM, "no memory for %d ports", o->n_port);
    }
    links_update(links, 0);
    int status = place_ports(o);
    status = status ? status : open_ports(o);
    return status ? status : write_links(o);
}

void outside_destroy(outside_t *outside)
{
    if (!outside) {
        return;
    }
    for (int i = 0; outside->port && i < outside->n_port; i++) {
        zmq_port_destroy(outside->port[i].port);
        free(outside->port[i].give);
        free(outside->port[i].take);
    }
    if (outside->context) {
        zmq_ctx_term(outside->context);
    }
    free(outside->port);
    free(outside->items);
    free(outside);
}

/* A chunk --------------------------------------------------------------------------------------------------------- */

static void begin(struct outside *o, const struct mixer_input *in)
{
    for (int i = 0; i < o->n_port; i++) {
        struct port *const p = &o->port[i];
        const struct mixer_input *const source = &in[p->radio];
        memset(p->give, 0, (size_t)o->chunk * sizeof *p->give);
        if (source->samples && source->from < source->to) {
            memcpy(p->give + source->from, source->samples + (size_t)p->antenna * (size_t)o->chunk + source->from,
                   (size_t)(source->to - source->from) * sizeof *p->give);
        }
        zmq_port_begin(p->port, p->give, p->take, o->chunk);
    }
}

static void finish(struct outside *o, const struct mixer_output *out)
{
    for (int i = 0; i < o->n_port; i++) {
        const struct port *const p = &o->port[i];
        for (int t = 0; t < o->chunk; t++) {
            o->counters.not_finite += !isfinite(crealf(p->take[t])) || !isfinite(cimagf(p->take[t]));
        }
        if (out[p->radio].samples) {
            memcpy(out[p->radio].samples + (size_t)p->antenna * (size_t)o->chunk, p->take,
                   (size_t)o->chunk * sizeof *p->take);
        }
    }
}

/* The first port that lacks something is where the other side stands. */
static void tell_stall(struct outside *o, tutti_tick tick)
{
    const uint64_t now_ns = clock_mono_ns(), stall_ns = (uint64_t)(o->config->air.zmq.stall_ms * 1e6);
    if (now_ns - o->moved_ns < stall_ns || (o->told_ns && now_ns - o->told_ns < STALL_EVERY_NS)) {
        return;
    }
    for (int i = 0; i < o->n_port; i++) {
        const struct port *const p = &o->port[i];
        const int short_tx = o->chunk - zmq_port_given(p->port), short_rx = o->chunk - zmq_port_taken(p->port);
        if (short_rx > 0 || short_tx > 0) {
            log_write(LOG_WARNING, "air",
                      "AIR-OUTSIDE-STALL %s=%s%d/%d short_samples=%d chunk=%" PRIu64
                      ": the flowgraph holds samples back, or is not there (see docs/gnuradio.md)",
                      short_rx > 0 ? "rx" : "tx", role_of(&o->links->radio[p->radio]), o->links->radio[p->radio].id,
                      p->antenna, short_rx > 0 ? short_rx : short_tx, tick / (tutti_tick)o->chunk);
            break;
        }
    }
    o->counters.stalls++;
    o->told_ns = now_ns;
}

static void wait_for_more(struct outside *o)
{
    int n = 0;
    o->items[n++] = (zmq_pollitem_t){.fd = rt_stop_fd(), .events = ZMQ_POLLIN};
    for (int i = 0; i < o->n_port; i++) {
        n += zmq_port_items(o->port[i].port, o->items + n);
    }
    zmq_poll(o->items, n, LOOK_MS);
}

/* All ports a little further. 1: the chunk is through. */
static int turn(struct outside *o)
{
    bool done = true;
    uint64_t bytes = 0;
    for (int i = 0; i < o->n_port; i++) {
        const int status = zmq_port_turn(o->port[i].port);
        if (status < 0) {
            return status;
        }
        done = done && zmq_port_done(o->port[i].port);
        bytes += zmq_port_bytes(o->port[i].port);
    }
    if (bytes != o->bytes) {
        o->bytes = bytes;
        o->moved_ns = clock_mono_ns();
        o->told_ns = 0;
    }
    return done;
}

static int begin_again(struct outside *o, int why, const struct mixer_input *in)
{
    *(why == TUTTI_ECLOSED ? &o->counters.restarts : &o->counters.bad_peers) += 1;
    log_write(LOG_WARNING, "air", "AIR-OUTSIDE-RESTART %s: all ports begin anew, the chunk is offered again",
              error_text());
    clock_sleep_until_ns(clock_mono_ns() + SETTLE_NS); /* who goes leaves all ports, one after the other */
    int status = TUTTI_OK;
    for (int i = 0; status == TUTTI_OK && i < o->n_port; i++) {
        status = zmq_port_restart(o->port[i].port);
    }
    if (status == TUTTI_OK) {
        begin(o, in);
    }
    return status;
}

int outside_execute(outside_t *o, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out)
{
    int status;
    begin(o, in);
    o->moved_ns = clock_mono_ns();
    while ((status = turn(o)) != 1) {
        if (rt_stop_requested()) {
            return TUTTI_ESTOPPED;
        }
        if (status == TUTTI_ECLOSED || status == TUTTI_EFORMAT) {
            status = begin_again(o, status, in);
        }
        if (status < 0) {
            return status;
        }
        tell_stall(o, tick);
        wait_for_more(o);
    }
    finish(o, out);
    return TUTTI_OK;
}

const struct outside_counters *outside_counters(const outside_t *outside)
{
    return &outside->counters;
}
