/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The far end of a latency measurement: gathers the estimates of a block from every AP that is there, then answers each
 * with a precoder of the same shape. A precoder's tick carries when its AP's estimates were received. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "fronthaul/encoding.h"
#include "fronthaul/hub.h"
#include "tools/latency/latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one message may hold in the densest encoding: the shape is the probe's choice. */
enum { MAX_COEFFICIENTS = WIRE_MAX_BYTES };

struct waiting {
    bool present;
    uint64_t received_ns;
    struct wire_header header;
};

struct server {
    const struct latency_options *options;
    fh_hub_t *hub;
    uint64_t block;
    int n_alive, n_waiting;
    bool *alive;                  /* [TUTTI_MAX_AP], the hub's bound: the probe says how many there are */
    struct waiting *waiting;      /* the same */
    tutti_cf32 *coefficients;     /* the estimates received last are the precoders sent */
    struct wire_stream *stream;   /* [TUTTI_MAX_STREAM] */
    float *beta, *error_variance; /* the same */
    uint8_t *message;
    uint64_t answered, unreadable;
};

void latency_boot_id(char id[LATENCY_BOOT_ID_ROOM])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file || fscanf(file, "%39[0-9a-f-]", id) != 1) {
        id[0] = '\0';
    }
    if (file) {
        fclose(file);
    }
}

static void answer(struct server *s, int ap)
{
    struct waiting *w = &s->waiting[ap];
    const struct wire_precoder_meta meta = {.stream = s->stream, .power_mean = 1, .power_peak = 1, .upsilon = 1};
    struct wire_header header = w->header;
    header.type = WIRE_PRECODER;
    header.tick = w->received_ns;
    header.valid_from_block = header.valid_until_block = header.block;
    encoding_set(&header, &s->options->encoding, WIRE_PRECODER);
    for (int k = 0; k < header.n_stream; k++) {
        s->stream[k].user = (uint16_t)k;
    }
    const size_t n = wire_pack_precoder(s->message, WIRE_MAX_BYTES, &header, &meta, s->coefficients);
    wire_stamp_send_time(s->message, n, clock_wall_ns());
    s->answered += n && fh_hub_send(s->hub, FH_ROLE_AP, ap, s->message, n) == TUTTI_OK;
    w->present = false;
}

static void answer_all(struct server *s)
{
    for (int ap = 0; ap < TUTTI_MAX_AP; ap++) {
        if (s->waiting[ap].present) {
            answer(s, ap);
        }
    }
    s->n_waiting = 0;
}

static void answer_probe(struct server *s, int ap, const struct wire_header *probe, const uint8_t *data)
{
    struct wire_header header = *probe;
    header.type = WIRE_PROBE_REPLY;
    header.tick = probe->send_time_ns;
    header.send_time_ns = clock_wall_ns();
    const size_t n = wire_pack_probe(s->message, WIRE_MAX_BYTES, &header, data + WIRE_HEADER_BYTES);
    wire_stamp_send_time(s->message, n, clock_wall_ns());
    s->answered += n && fh_hub_send(s->hub, FH_ROLE_AP, ap, s->message, n) == TUTTI_OK;
}

static void gather(struct server *s, int ap, const struct wire_header *header)
{
    if (header->block > s->block) { /* an AP missed the block before: the others shall not */
        answer_all(s);
        s->block = header->block;
    }
    struct waiting *w = &s->waiting[ap];
    s->n_waiting += !w->present;
    *w = (struct waiting){.present = true, .received_ns = clock_wall_ns(), .header = *header};
    if (header->block < s->block) {
        s->n_waiting--;
        answer(s, ap);
    } else if (s->n_waiting >= s->n_alive) {
        answer_all(s);
    }
}

static void receive(struct server *s, int ap, const uint8_t *data, size_t n_bytes)
{
    struct wire_header header;
    struct wire_csi_meta meta = {.beta = s->beta, .error_variance = s->error_variance};
    const int error =
        wire_unpack_csi(data, n_bytes, &header, &meta, TUTTI_MAX_STREAM, s->coefficients, MAX_COEFFICIENTS);
    if (error == WIRE_BAD_TYPE && wire_unpack_header(data, n_bytes, &header) == WIRE_OK && header.type == WIRE_PROBE) {
        answer_probe(s, ap, &header, data);
    } else if (error == WIRE_OK) {
        gather(s, ap, &header);
    } else {
        s->unreadable++;
    }
}

static void greet(struct server *s, int ap)
{
    char boot_id[LATENCY_BOOT_ID_ROOM], text[128];
    latency_boot_id(boot_id);
    snprintf(text, sizeof text, "{\"type\":\"clock\",\"boot_id\":\"%s\"}", boot_id);
    fh_hub_send_control(s->hub, FH_ROLE_AP, ap, text);
}

static void handle(struct server *s, const struct fh_event *event)
{
    if (event->kind == FH_EVENT_DATA) {
        receive(s, event->id, event->data, event->n_bytes);
        return;
    }
    if (event->kind != FH_EVENT_UP && event->kind != FH_EVENT_DOWN) {
        return;
    }
    const bool up = event->kind == FH_EVENT_UP;
    s->n_alive += up - s->alive[event->id];
    s->alive[event->id] = up;
    s->n_waiting -= s->waiting[event->id].present;
    s->waiting[event->id].present = false;
    if (up) {
        greet(s, event->id);
    }
    if (s->n_alive == 0) { /* the next probe counts its blocks from 0 again */
        s->block = 0;
        s->n_waiting = 0;
    } else if (s->n_waiting >= s->n_alive) {
        answer_all(s);
    }
}

static int open_server(struct server *s, const char *endpoint)
{
    const struct fh_hub_settings settings = {.endpoint = endpoint,
                                             .n_ap = TUTTI_MAX_AP,
                                             .fingerprint = LATENCY_FINGERPRINT,
                                             .welcome = {.session = (uint32_t)getpid()},
                                             .peer_timeout_ms = 5000,
                                             .key_dir = s->options->key_dir};
    s->coefficients = malloc(MAX_COEFFICIENTS * sizeof *s->coefficients);
    s->message = malloc(WIRE_MAX_BYTES);
    s->alive = calloc(TUTTI_MAX_AP, sizeof *s->alive);
    s->waiting = calloc(TUTTI_MAX_AP, sizeof *s->waiting);
    s->stream = calloc(TUTTI_MAX_STREAM, sizeof *s->stream);
    s->beta = calloc(TUTTI_MAX_STREAM, sizeof *s->beta);
    s->error_variance = calloc(TUTTI_MAX_STREAM, sizeof *s->error_variance);
    if (!s->coefficients || !s->message || !s->alive || !s->waiting || !s->stream || !s->beta || !s->error_variance) {
        return error_set(TUTTI_ENOMEM, "out of memory for messages");
    }
    const int status = fh_hub_create(&s->hub, &settings);
    if (status == TUTTI_OK) {
        fh_hub_busy_poll(s->hub, s->options->encoding.busy_poll_us);
    }
    return status;
}

static void close_server(struct server *s)
{
    free(s->coefficients);
    free(s->message);
    free(s->alive);
    free(s->waiting);
    free(s->stream);
    free(s->beta);
    free(s->error_variance);
}

int latency_serve(const struct latency_options *options, const char *endpoint, int ready_fd)
{
    struct server server = {.options = options};
    int status = open_server(&server, endpoint);
    if (status == TUTTI_OK && ready_fd >= 0 && write(ready_fd, "r", 1) != 1) {
        status = error_set(TUTTI_EIO, "the probe is gone");
    }
    while (status == TUTTI_OK && !rt_stop_requested()) {
        struct fh_event event;
        status = fh_hub_wait(server.hub, -1, -1, &event);
        if (status == TUTTI_OK) {
            handle(&server, &event);
        }
    }
    if (server.hub) {
        fh_hub_broadcast_stop(server.hub);
    }
    fh_hub_destroy(server.hub);
    close_server(&server);
    return status;
}
