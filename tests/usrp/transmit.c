/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A channel's transmitter: packets wait in a buffer until their time, are played sample by sample, and every burst
 * ends with an event: done, late or underrun. */
#include "device.h"

#include <string.h>

#define PER_FULL_SCALE (1.0f / 32768.0f)

static struct transmit_packet *front(struct transmitter *t)
{
    return t->n_queued > 0 ? &t->queue[t->head] : NULL;
}

static void report(struct channel *c)
{
    struct transmitter *t = &c->transmit;
    uint8_t out[64];
    const struct packet_status s = {.destination = t->host,
                                    .source = c->endpoint,
                                    .broken = t->broken,
                                    .capacity_bytes = (uint64_t)DEVICE_TX_PACKETS * PACKET_ROOM,
                                    .capacity_packets = DEVICE_TX_PACKETS,
                                    .bytes = t->consumed.bytes,
                                    .packets = t->consumed.packets};
    t->reported = t->consumed;
    t->broken = false;
    link_send(c->device, t->host, out, packet_status_write(out, &s));
}

static void consumed(struct channel *c, size_t n_bytes)
{
    struct transmitter *t = &c->transmit;
    t->consumed.bytes += n_bytes;
    t->consumed.packets++;
    if (t->host && (t->consumed.bytes - t->reported.bytes >= t->frequency.bytes ||
                    t->consumed.packets - t->reported.packets >= t->frequency.packets)) {
        report(c);
    }
}

static void pop(struct channel *c)
{
    struct transmitter *t = &c->transmit;
    const size_t n_bytes = t->queue[t->head].n_bytes;
    t->head = (t->head + 1) % DEVICE_TX_PACKETS;
    t->n_queued--;
    consumed(c, n_bytes);
}

static struct flow queued(const struct transmitter *t)
{
    struct flow sum = {0, (uint64_t)t->n_queued};
    for (int i = 0; i < t->n_queued; i++) {
        sum.bytes += t->queue[(t->head + i) % DEVICE_TX_PACKETS].n_bytes;
    }
    return sum;
}

void transmit_command(struct channel *c, const struct packet_command *command)
{
    struct transmitter *t = &c->transmit;
    const struct flow waiting = queued(t);
    t->host = command->source;
    if (command->kind == PACKET_INIT) {
        t->sequence = 0;
        t->consumed = (struct flow){0, 0};
        t->frequency = (struct flow){command->bytes, command->packets};
    } else if (command->kind == PACKET_RESYNC) {
        /* What was sent and is not waiting here was consumed, or lost. */
        t->consumed = (struct flow){command->bytes - waiting.bytes, command->packets - waiting.packets};
    }
    report(c);
}

void transmit_take(struct channel *c, const struct packet_header *h, const uint8_t *bytes)
{
    struct transmitter *t = &c->transmit;
    const size_t offset = packet_data_offset(h), n = (h->length - offset) / 4;
    if (t->n_to_lose > 0) {
        t->n_to_lose--;
        c->device->counts.lost++;
        device_say(c->device, "transmit channel %d lost a packet of tick %llu, %zu samples", c->index,
                   h->type == PACKET_DATA_TIMED ? (unsigned long long)packet_word(bytes + 8) : 0ull, n);
        return;
    }
    t->broken = t->broken || h->sequence != t->sequence;
    t->sequence = (uint16_t)(h->sequence + 1);
    if (t->broken && t->host) {
        report(c); /* at once, as a stream endpoint does */
    }
    if (t->cutting || !world_agree(c->device->world, c->device)) {
        t->cutting = t->cutting && !h->end_of_burst;
        consumed(c, h->length);
        return;
    }
    if (t->n_queued == DEVICE_TX_PACKETS || 4 * n > sizeof t->queue->samples) {
        device_say(c->device, "channel %d: the host sends more than there is room for", c->index);
        return;
    }
    struct transmit_packet *p = &t->queue[(t->head + t->n_queued++) % DEVICE_TX_PACKETS];
    p->timed = h->type == PACKET_DATA_TIMED;
    p->time = p->timed ? packet_word(bytes + 8) : 0;
    p->end_of_burst = h->end_of_burst;
    p->n = (int)n;
    p->at = 0;
    p->n_bytes = h->length;
    memcpy(p->samples, bytes + offset, 4 * n);
    t->starved_ns = 0;
}

/* The packet in front came too late for its time: it is thrown away, the next one may be in time again. */
static void drop_late(struct channel *c, uint64_t tick)
{
    registers_tell(c, false, EVENT_LATE, tick);
    c->transmit.in_burst = false;
    pop(c);
}

/* When the packet in front begins, not before `tick`; UINT64_MAX = there is none. Late ones are thrown away, and of
 * those that begin before `end` those that a fault makes late when their time comes. */
static uint64_t begins(struct channel *c, uint64_t tick, uint64_t end)
{
    struct transmitter *t = &c->transmit;
    for (struct transmit_packet *p = front(t); p; p = front(t)) {
        const bool fresh = p->at == 0 && p->timed, late = fresh && p->time < tick;
        const bool forced = fresh && !late && !t->in_burst && t->n_to_be_late > 0 && p->time < end;
        if (!forced && !late) {
            return fresh ? p->time : tick;
        }
        t->n_to_be_late -= forced;
        drop_late(c, forced ? p->time + 1 : tick);
    }
    return UINT64_MAX;
}

static void underrun(struct channel *c, uint64_t tick)
{
    c->transmit.in_burst = false;
    c->transmit.starved_ns = 0;
    registers_tell(c, false, EVENT_UNDERRUN, tick);
}

/* Fault: as if the rest of the burst had not come. */
static void cut(struct channel *c, uint64_t tick)
{
    struct transmitter *t = &c->transmit;
    t->n_to_starve--;
    t->cutting = true;
    while (front(t) && t->cutting) {
        t->cutting = !front(t)->end_of_burst;
        pop(c);
    }
    underrun(c, tick);
}

/* Plays from the packet in front up to `room` samples; returns how many. */
static int play(struct channel *c, uint64_t tick, tutti_cf32 *out, int room)
{
    struct transmitter *t = &c->transmit;
    struct transmit_packet *p = front(t);
    const bool starving = !t->in_burst && t->n_to_starve > 0;
    const int all = starving ? (p->n + 1) / 2 : p->n - p->at, n = all < room ? all : room;
    for (int i = 0; i < n; i++) {
        const int16_t *s = p->samples + 2 * (p->at + i);
        out[i] = __builtin_complex((float)s[0] * PER_FULL_SCALE, (float)s[1] * PER_FULL_SCALE);
    }
    for (int i = 0; c->device->turned && i < n; i++) {
        out[i] *= c->device->chain[c->index];
    }
    p->at += n;
    t->in_burst = true;
    if (starving) {
        cut(c, tick + (uint64_t)n);
    } else if (p->at == p->n) {
        const bool end = p->end_of_burst;
        pop(c);
        if (end) {
            t->in_burst = false;
            registers_tell(c, false, EVENT_BURST_DONE, tick + (uint64_t)n);
        }
    }
    return n;
}

bool transmit_samples(struct channel *c, uint64_t tick, tutti_cf32 *out, int n)
{
    struct transmitter *t = &c->transmit;
    const uint64_t end = tick + (uint64_t)n;
    bool loud = false;
    for (uint64_t at = tick; at < end;) {
        const uint64_t begin = begins(c, at, end);
        if (begin == UINT64_MAX && t->in_burst) {
            underrun(c, at);
        }
        if (begin >= end) {
            return loud;
        }
        if (!loud) {
            memset(out, 0, (size_t)n * sizeof *out);
            loud = true;
        }
        at = begin + (uint64_t)play(c, begin, out + (begin - tick), (int)(end - begin));
    }
    return loud;
}

bool transmit_starves(struct channel *c, uint64_t tick, int n, uint64_t now_ns)
{
    struct transmitter *t = &c->transmit;
    if (!t->in_burst) {
        return false;
    }
    int have = 0;
    for (int i = 0; i < t->n_queued && have < n; i++) {
        const struct transmit_packet *p = &t->queue[(t->head + i) % DEVICE_TX_PACKETS];
        if (p->end_of_burst || (p->timed && p->at == 0 && p->time > tick + (uint64_t)have)) {
            return false;
        }
        have += p->n - p->at;
    }
    if (have >= n) {
        return false;
    }
    t->starved_ns = t->starved_ns ? t->starved_ns : now_ns;
    return now_ns - t->starved_ns < c->device->world->patience_ns;
}

void transmit_reset(struct channel *c)
{
    struct transmit_packet *queue = c->transmit.queue;
    memset(&c->transmit, 0, sizeof c->transmit);
    c->transmit.queue = queue;
}
