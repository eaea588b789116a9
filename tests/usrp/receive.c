/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A channel's receiver: stream commands, packets of samples with time stamps, flow control towards the host. */
#include "device.h"

#include <math.h>
#include <string.h>

enum command { COMMAND_STOP = 0, COMMAND_FINITE = 1, COMMAND_CONTINUOUS = 2 };
#define COMMAND_TIMED 0x80000000u
#define FULL_SCALE 32768.0f

static uint64_t pair(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

void receive_command(struct channel *c, uint32_t word)
{
    struct receiver *r = &c->receive;
    const uint32_t what = word & ~COMMAND_TIMED;
    device_say(c->device, "receive channel %d command %08x at tick %llu", c->index, word,
               (unsigned long long)device_now(c->device));
    if (what == COMMAND_STOP) {
        r->state = r->state == RECEIVE_RUNNING ? RECEIVE_STOPPING : r->state == RECEIVE_ARMED ? RECEIVE_IDLE : r->state;
        return;
    }
    r->timed = word & COMMAND_TIMED;
    r->continuous = what == COMMAND_CONTINUOUS;
    r->left = pair(c->registers.command_length_low, c->registers.command_length_high);
    r->start = pair(c->registers.command_time_low, c->registers.command_time_high);
    r->n_samples = 0;
    const bool missed = r->n_to_start_late > 0 || (r->timed && r->start < device_now(c->device));
    r->n_to_start_late -= r->n_to_start_late > 0;
    if (!world_agree(c->device->world, c->device) || missed) {
        r->state = RECEIVE_IDLE;
        registers_tell(c, true, EVENT_LATE_COMMAND, device_now(c->device));
        return;
    }
    r->state = r->continuous || r->left > 0 ? RECEIVE_ARMED : RECEIVE_IDLE;
    if (!c->device->has_streamed) {
        c->device->has_streamed = true;
        c->device->first_stream = c->device->world->now;
    }
}

void receive_connect(struct channel *c)
{
    struct receiver *r = &c->receive;
    uint8_t out[64];
    /* An acknowledgement for every packet: that is what an elastic clock goes by. */
    const struct packet_command init = {
        .destination = c->destination, .source = c->endpoint, .kind = PACKET_INIT, .bytes = 1, .packets = 1};
    r->connected = false;
    r->sequence = 0;
    r->sent = r->acknowledged = r->capacity = (struct flow){0, 0};
    link_send(c->device, c->destination, out, packet_command_write(out, &init));
}

void receive_acknowledge(struct channel *c, const struct packet_status *s)
{
    struct receiver *r = &c->receive;
    r->connected = true;
    r->acknowledged = (struct flow){s->bytes, s->packets};
    r->capacity = (struct flow){s->capacity_bytes, s->capacity_packets};
}

static int packet_samples(const struct channel *c)
{
    const uint32_t most = (PACKET_ROOM - 16) / 4, n = c->registers.packet_words;
    return (int)(n > 0 && n < most ? n : most);
}

uint64_t receive_room(const struct channel *c)
{
    const struct receiver *r = &c->receive;
    const uint64_t ahead = (uint64_t)(c->device->world->ahead_us * 1e-6 * (double)c->device->world->rate);
    const uint64_t packet = (uint64_t)packet_samples(c);
    if (r->state == RECEIVE_IDLE || r->state == RECEIVE_ARMED) {
        return UINT64_MAX;
    }
    const uint64_t waiting = (r->sent.packets - r->acknowledged.packets) * packet + (uint64_t)r->n_samples;
    return waiting < packet + ahead ? packet + ahead - waiting : 0;
}

int16_t receive_converted(float x)
{
    const float y = rintf(x * FULL_SCALE);
    return (int16_t)(y > FULL_SCALE - 1 ? FULL_SCALE - 1 : y < -FULL_SCALE ? -FULL_SCALE : y);
}

static bool fits(const struct receiver *r, size_t n)
{
    return !r->connected || (r->sent.packets - r->acknowledged.packets < r->capacity.packets &&
                             r->sent.bytes - r->acknowledged.bytes + n <= r->capacity.bytes);
}

static void send_packet(struct channel *c, bool end)
{
    struct receiver *r = &c->receive;
    uint8_t out[PACKET_ROOM];
    const size_t n = 16 + 4 * (size_t)r->n_samples;
    const struct packet_header h = {.end_of_burst = end,
                                    .type = PACKET_DATA_TIMED,
                                    .sequence = r->sequence,
                                    .length = (uint16_t)n,
                                    .destination = c->destination};
    if (!fits(r, n)) {
        receive_overrun(c, r->first + (uint64_t)r->n_samples);
        return;
    }
    packet_put_word(out, packet_header_word(&h));
    packet_put_word(out + 8, r->first);
    memcpy(out + 16, r->samples, n - 16); /* little-endian, in phase first */
    r->sequence++;
    r->sent.packets++;
    r->sent.bytes += n;
    r->n_samples = 0;
    if (r->n_to_lose > 0) {
        r->n_to_lose--;
        c->device->counts.lost++;
        return;
    }
    link_send(c->device, c->destination, out, n);
}

/* Nobody fetched what was received: the receiver stops and says so, as the device's does. */
void receive_overrun(struct channel *c, uint64_t tick)
{
    c->receive.state = RECEIVE_IDLE;
    c->receive.n_samples = 0;
    registers_tell(c, true, EVENT_OVERRUN, tick);
}

/* How many of n samples go into the packet being built. */
static int take(struct channel *c, uint64_t tick, const tutti_cf32 *samples, int n)
{
    struct receiver *r = &c->receive;
    const int room = packet_samples(c) - r->n_samples;
    n = n < room ? n : room;
    n = r->continuous || (uint64_t)n < r->left ? n : (int)r->left;
    if (r->n_samples == 0) {
        r->first = tick;
    }
    int16_t *to = r->samples + 2 * r->n_samples;
    for (int i = 0; i < n; i++) {
        to[2 * i] = receive_converted(crealf(samples[i]));
        to[2 * i + 1] = receive_converted(cimagf(samples[i]));
    }
    r->n_samples += n;
    r->left -= r->continuous ? 0 : (uint64_t)n;
    const bool last = !r->continuous && r->left == 0;
    if (n == room || last) {
        const bool end = last || r->state == RECEIVE_STOPPING;
        r->state = end ? RECEIVE_IDLE : r->state;
        send_packet(c, end);
    }
    return n;
}

void receive_samples(struct channel *c, uint64_t tick, const tutti_cf32 *samples, int n)
{
    struct receiver *r = &c->receive;
    int i = 0;
    if (r->state == RECEIVE_ARMED) {
        const uint64_t wait = r->timed && r->start > tick ? r->start - tick : 0;
        if (wait >= (uint64_t)n) {
            return;
        }
        i = (int)wait;
        r->state = RECEIVE_RUNNING;
    }
    while (i < n && r->state != RECEIVE_IDLE) {
        i += take(c, tick + (uint64_t)i, samples + i, n - i);
    }
}

void receive_reset(struct channel *c)
{
    memset(&c->receive, 0, sizeof c->receive);
}
