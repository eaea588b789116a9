/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packet socket of a device: sorts what comes by its type, remembers where hosts' endpoints are. */
#include "device.h"

#include <errno.h>
#include <sys/socket.h>

void link_remember(struct device *d, uint16_t endpoint, const struct sockaddr_in *from)
{
    for (int i = 0; i < d->n_peer; i++) {
        if (d->peer[i].endpoint == endpoint) {
            d->peer[i].address = *from;
            return;
        }
    }
    const int i = d->n_peer < DEVICE_N_PEER ? d->n_peer++ : 0;
    d->peer[i] = (struct peer){endpoint, *from};
}

void link_reply(struct device *d, const struct sockaddr_in *to, const uint8_t *bytes, size_t n)
{
    if (!d->gone) {
        (void)!sendto(d->packet_fd, bytes, n, 0, (const struct sockaddr *)to, sizeof *to);
    }
}

void link_send(struct device *d, uint16_t endpoint, const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < d->n_peer; i++) {
        if (d->peer[i].endpoint == endpoint) {
            link_reply(d, &d->peer[i].address, bytes, n);
            return;
        }
    }
}

static struct channel *channel_of(struct device *d, uint16_t endpoint)
{
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        if (d->channel[c].endpoint == endpoint) {
            return &d->channel[c];
        }
    }
    return NULL;
}

static void serve_stream(struct device *d, const struct packet_header *h, const uint8_t *bytes, size_t n,
                         const struct sockaddr_in *from)
{
    struct channel *channel = channel_of(d, h->destination);
    struct packet_status status;
    struct packet_command command;
    if (!channel) {
        device_say(d, "packet for unknown endpoint %u", h->destination);
    } else if (packet_status_read(&status, bytes, n)) {
        receive_acknowledge(channel, &status);
    } else if (packet_command_read(&command, bytes, n)) {
        link_remember(d, command.source, from);
        transmit_command(channel, &command);
    } else if (h->type == PACKET_DATA || h->type == PACKET_DATA_TIMED) {
        transmit_take(channel, h, bytes);
    }
}

static void serve_packet(struct device *d, const uint8_t *bytes, size_t n, const struct sockaddr_in *from)
{
    struct packet_header h;
    if (!packet_header_read(&h, bytes, n)) {
        device_say(d, "a packet of %zu bytes that is none", n);
    } else if (h.type == PACKET_MANAGEMENT) {
        management_serve(d, bytes, h.length, from);
    } else if (h.type == PACKET_CONTROL) {
        registers_serve(d, bytes, h.length, from);
    } else {
        serve_stream(d, &h, bytes, n, from);
    }
}

/* All that is there: what a host sent first must count before the clock goes on. */
void link_serve(struct device *d)
{
    static uint8_t bytes[65536];
    struct sockaddr_in from;
    for (;;) {
        socklen_t room = sizeof from;
        const ssize_t n = recvfrom(d->packet_fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &room);
        if (n < 0 && errno != EINTR) {
            return;
        }
        if (n > 0 && !d->gone) {
            serve_packet(d, bytes, (size_t)n, &from);
        }
    }
}
