/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/gate/gate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/radio.h"
#include "hw/zmq_port.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LOOK_MS = 100 };

struct gate {
    const struct gate_settings *settings;
    struct frame frame;
    radio_t *radio;
    void *context;
    zmq_port_t *port[GATE_MAX_ANT];
    tutti_cf32 *sent[GATE_MAX_ANT], *arrived[GATE_MAX_ANT]; /* [chunk] each */
    zmq_pollitem_t items[1 + GATE_MAX_ANT * ZMQ_PORT_ITEMS];
    int n_ant, chunk;
    bool there; /* somebody sends */
    uint64_t bytes, moved_ns, n_joined, n_sent;
};

static int create(struct gate *g)
{
    const struct gate_settings *s = g->settings;
    int status = frame_init(&g->frame, s->config);
    g->n_ant = s->n_ant;
    g->chunk = g->frame.chunk_samples;
    g->context = zmq_ctx_new();
    if (!status && !g->context) {
        status = error_set(TUTTI_ENOMEM, "no memory for sockets");
    }
    for (int a = 0; !status && a < g->n_ant; a++) {
        g->sent[a] = calloc((size_t)g->chunk, sizeof *g->sent[a]);
        g->arrived[a] = calloc((size_t)g->chunk, sizeof *g->arrived[a]);
        status = g->sent[a] && g->arrived[a]
                     ? zmq_port_create(&g->port[a], &(struct zmq_port_settings){.context = g->context,
                                                                                .give_at = s->rx[a],
                                                                                .take_at = s->tx[a],
                                                                                .max_samples = g->chunk})
                     : error_set(TUTTI_ENOMEM, "no memory for samples");
    }
    return status;
}

static int open_seat(struct gate *g)
{
    const struct config *c = g->settings->config;
    const struct config_radio *radio = config_radio_of(c, g->settings->role, g->settings->id);
    const struct radio_settings settings = {.backend = "air",
                                            .args = config_radio_args(c, radio),
                                            .folder = c->folder,
                                            .role = config_role_name(g->settings->role),
                                            .id = g->settings->id,
                                            .n_ant = g->n_ant,
                                            .rate_hz = c->frame.sample_rate_hz,
                                            .chunk_samples = g->chunk,
                                            .n_tx_buffer_samples = 4 * g->chunk};
    struct radio_info info;
    return radio_open(&g->radio, &settings, &info);
}

static void destroy(struct gate *g)
{
    radio_close(g->radio);
    for (int a = 0; a < g->n_ant; a++) {
        zmq_port_destroy(g->port[a]);
        free(g->sent[a]);
        free(g->arrived[a]);
    }
    if (g->context) {
        zmq_ctx_term(g->context);
    }
}

/* All antennas a little further. 1: the piece is through. */
static int turn(struct gate *g)
{
    bool done = true;
    uint64_t bytes = 0;
    for (int a = 0; a < g->n_ant; a++) {
        const int status = zmq_port_turn(g->port[a]);
        if (status < 0) {
            return status;
        }
        done = done && zmq_port_done(g->port[a]);
        bytes += zmq_port_bytes(g->port[a]);
    }
    if (bytes != g->bytes) {
        g->bytes = bytes;
        g->moved_ns = clock_mono_ns();
    }
    return done;
}

static void wait_for_more(struct gate *g)
{
    int n = 0;
    g->items[n++] = (zmq_pollitem_t){.fd = rt_stop_fd(), .events = ZMQ_POLLIN};
    for (int a = 0; a < g->n_ant; a++) {
        n += zmq_port_items(g->port[a], g->items + n);
    }
    zmq_poll(g->items, n, LOOK_MS);
}

/* Until the piece is through; TUTTI_ECLOSED when nothing moves any more. */
static int exchange(struct gate *g)
{
    int status;
    g->moved_ns = clock_mono_ns();
    while ((status = turn(g)) == 0) {
        if (rt_stop_requested()) {
            return TUTTI_ESTOPPED;
        }
        if ((double)(clock_mono_ns() - g->moved_ns) > g->settings->gone_ms * 1e6) {
            return error_set(TUTTI_ECLOSED, "nothing moved for %.0f ms", g->settings->gone_ms);
        }
        wait_for_more(g);
    }
    return status < 0 ? status : TUTTI_OK;
}

static void want(struct gate *g)
{
    for (int a = 0; a < g->n_ant; a++) {
        zmq_port_begin(g->port[a], NULL, g->sent[a], g->chunk);
    }
}

/* Who leaves begins anew with its next sample. */
static int leave(struct gate *g, tutti_tick tick)
{
    int status = TUTTI_OK;
    log_write(LOG_WARNING, "gate", "GATE-GONE tick=%" PRIu64 ": %s; the seat is silent", tick, error_text());
    g->there = false;
    for (int a = 0; !status && a < g->n_ant; a++) {
        status = zmq_port_restart(g->port[a]);
    }
    if (!status) {
        want(g);
    }
    return status;
}

/* While nobody is there: whether a first sample has come. */
static int look_for_somebody(struct gate *g)
{
    const int status = turn(g);
    bool came = false;
    for (int a = 0; status >= 0 && a < g->n_ant; a++) {
        came = came || zmq_port_taken(g->port[a]) > 0;
    }
    return status < 0 ? status : came;
}

/* What is sent from `tick` on. 1: there is something. */
static int take(struct gate *g, tutti_tick tick)
{
    int status = g->there ? 1 : look_for_somebody(g);
    if (status <= 0) {
        return status == TUTTI_ECLOSED || status == TUTTI_EFORMAT ? leave(g, tick) : status;
    }
    status = exchange(g);
    if (status == TUTTI_ECLOSED || status == TUTTI_EFORMAT) {
        return leave(g, tick);
    }
    if (status == TUTTI_OK && !g->there) {
        g->there = true;
        g->n_joined++;
        log_write(LOG_INFO, "gate", "GATE-JOIN tick=%" PRIu64 ": sample 0 of its stream", tick);
    }
    return status ? status : 1;
}

static int send(struct gate *g, tutti_tick tick)
{
    struct radio_note note;
    const int status = radio_burst(g->radio, (const tutti_cf32 *const *)g->sent, g->chunk, tick, tick);
    while (radio_note(g->radio, &note)) {
        g->n_sent += note.kind == RADIO_NOTE_SENT;
    }
    return status;
}

static int hand_out(struct gate *g, tutti_tick tick)
{
    for (int a = 0; a < g->n_ant; a++) {
        zmq_port_begin(g->port[a], g->arrived[a], NULL, g->chunk);
    }
    const int status = exchange(g);
    if (status == TUTTI_ECLOSED || status == TUTTI_EFORMAT) {
        return leave(g, tick);
    }
    if (!status) {
        want(g);
    }
    return status;
}

static int one_chunk(struct gate *g, tutti_tick *tick)
{
    struct radio_got got;
    int status = take(g, *tick);
    const bool sends = status == 1;
    status = sends ? send(g, *tick) : status;
    status = status ? status : radio_recv(g->radio, g->arrived, g->chunk, &got);
    if (!status && (got.tick != *tick || got.n != g->chunk)) {
        status = error_set(TUTTI_EDEVICE, "the medium went on without the gate: start it again");
    }
    status = status || !sends ? status : hand_out(g, *tick);
    *tick += (tutti_tick)g->chunk;
    return status;
}

int gate_run(const struct gate_settings *settings)
{
    struct gate g = {.settings = settings};
    tutti_tick tick = 0;
    int status = create(&g);
    status = status ? status : open_seat(&g);
    status = status ? status : radio_start(g.radio, 0, &tick);
    if (!status) {
        log_write(LOG_INFO, "gate", "READY seat=%s%d antennas=%d rate_hz=%.0f chunk_samples=%d tick=%" PRIu64,
                  config_role_name(settings->role), settings->id, g.n_ant, settings->config->frame.sample_rate_hz,
                  g.chunk, tick);
        want(&g);
    }
    while (!status && !rt_stop_requested()) {
        status = one_chunk(&g, &tick);
    }
    log_write(LOG_INFO, "gate", "GATE joined=%" PRIu64 " chunks_sent=%" PRIu64 " last_tick=%" PRIu64, g.n_joined,
              g.n_sent, tick);
    destroy(&g);
    return status == TUTTI_ESTOPPED ? TUTTI_OK : status;
}
