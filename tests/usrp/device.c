/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's life: its sockets at an address of its own, its state when it is switched on and after a session. */
#include "device.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BYTES = 8 << 20 };

void device_say(const struct device *d, const char *format, ...)
{
    if (!d->world->verbose) {
        return;
    }
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", d->address);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

uint64_t device_now(struct device *d)
{
    return timekeeper_now(&d->time, world_count(d->world, d->rate));
}

uint64_t device_last_pulse(struct device *d)
{
    return timekeeper_last_pulse(&d->time, world_count(d->world, d->rate), d->rate);
}

void device_set_time(struct device *d, uint64_t ticks, bool at_pulse)
{
    const uint64_t world = world_count(d->world, d->rate);
    if (at_pulse) {
        timekeeper_set_at_pulse(&d->time, world, d->rate, ticks);
    } else {
        timekeeper_set_now(&d->time, world, ticks);
    }
}

/* What its transceiver can do; else nothing changes. */
void device_set_rate(struct device *d, double rate_hz)
{
    const uint64_t rate = rate_hz >= 200e3 && rate_hz <= 61.44e6 ? (uint64_t)llround(rate_hz) : d->rate;
    if (rate != d->rate) {
        timekeeper_rebase(&d->time, world_count(d->world, d->rate), world_count(d->world, rate));
        d->rate = rate;
    }
}

static int open_socket(const struct device *d, int type, int port, int *fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int one = 1, room = SOCKET_BYTES;
    inet_pton(AF_INET, d->address, &at.sin_addr);
    *fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0) {
        setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, type == SOCK_STREAM ? &one : &(int){0}, sizeof one);
        setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    if (*fd < 0 || bind(*fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
        (type == SOCK_STREAM && listen(*fd, DEVICE_N_CONNECTION) != 0)) {
        return error_set(TUTTI_EIO, "cannot be a device at %s port %d: %s; is another emulator running?", d->address,
                         port, strerror(errno));
    }
    return TUTTI_OK;
}

static int make_channel(struct device *d, int index)
{
    struct channel *c = &d->channel[index];
    c->device = d;
    c->index = index;
    c->transmit.queue = calloc(DEVICE_TX_PACKETS, sizeof *c->transmit.queue);
    return c->transmit.queue ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for a device's buffers");
}

int device_open(struct device *d, struct world *world, int id)
{
    *d = (struct device){
        .world = world, .id = id, .rate = world->rate, .discovery_fd = -1, .rpc_fd = -1, .packet_fd = -1};
    for (int i = 0; i < DEVICE_N_CONNECTION; i++) {
        d->connection[i].fd = -1;
    }
    const struct in_addr at = {htonl(world->first_address + (uint32_t)id)};
    inet_ntop(AF_INET, &at, d->address, sizeof d->address);
    snprintf(d->serial, sizeof d->serial, "EMU%04d", 1 + id);
    strcpy(d->clock_source, "internal");
    strcpy(d->time_source, "internal");
    int status = open_socket(d, SOCK_DGRAM, DEVICE_DISCOVERY_PORT, &d->discovery_fd);
    status = status ? status : open_socket(d, SOCK_STREAM, DEVICE_RPC_PORT, &d->rpc_fd);
    status = status ? status : open_socket(d, SOCK_DGRAM, DEVICE_PACKET_PORT, &d->packet_fd);
    for (int c = 0; c < DEVICE_N_CHANNEL && !status; c++) {
        status = make_channel(d, c);
    }
    return status;
}

/* Streams end with a session; clock, time and their sources stay as they are. */
void device_end_session(struct device *d)
{
    d->token[0] = '\0';
    d->n_peer = 0;
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        receive_reset(&d->channel[c]);
        transmit_reset(&d->channel[c]);
        memset(&d->channel[c].registers, 0, sizeof d->channel[c].registers);
    }
}

static void shut(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void device_close(struct device *d)
{
    if (!d->world) {
        return;
    }
    for (int i = 0; i < DEVICE_N_CONNECTION; i++) {
        rpc_close(d, &d->connection[i]);
    }
    shut(&d->discovery_fd);
    shut(&d->rpc_fd);
    shut(&d->packet_fd);
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        free(d->channel[c].transmit.queue);
        d->channel[c].transmit.queue = NULL;
    }
}
