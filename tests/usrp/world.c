/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clock that all devices have in common, and what happens in every chunk of it. While nobody streams it is the wall
 * clock's. Then it is elastic, unless the real one was asked for: it runs `speed` times as fast as real time at most,
 * and no further ahead than `ahead_us` of what hosts have acknowledged. When the last stream ends it goes on as fast as
 * the wall clock. If it is behind, it jumps to it once no host has a session that would see this: a host that stops its
 * streams and starts them again finds the time it has just read. */
#include "base/clock.h"
#include "ether.h"
#include "faults.h"
#include "keep.h"

#include <stdlib.h>

enum {
    CHUNK_HZ = 4000, /* chunks a second, about */
    MAX_CHUNK = 16384,
    REAL_CHUNKS_AT_ONCE = 64
};
#define NS_PER_S 1000000000u
#define SLACK_NS 2000000u /* a delay up to this is caught up with */
#define STALLED_NS 1000000u

/* The largest divisor of the rate that is not longer than a chunk should be. */
static int chunk_of(uint64_t rate)
{
    uint64_t chunk = rate / CHUNK_HZ < MAX_CHUNK ? rate / CHUNK_HZ : MAX_CHUNK;
    while (chunk > 1 && rate % chunk != 0) {
        chunk--;
    }
    return chunk > 16 ? (int)chunk : (int)(rate / CHUNK_HZ) + 1;
}

static uint64_t count_at(uint64_t ns, uint64_t rate)
{
    return ns / NS_PER_S * rate + ns % NS_PER_S * rate / NS_PER_S;
}

static uint64_t ns_at(const struct world *w, uint64_t samples)
{
    return samples / w->rate * NS_PER_S + samples % w->rate * NS_PER_S / w->rate;
}

static bool streams(const struct device *d)
{
    bool any = false;
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        any = any || d->channel[c].receive.state != RECEIVE_IDLE || d->channel[c].transmit.n_queued > 0 ||
              d->channel[c].transmit.in_burst;
    }
    return any && !d->gone;
}

static bool is_watched(const struct world *w)
{
    bool any = false;
    for (int i = 0; i < w->n_device; i++) {
        any = any || w->device[i].token[0];
    }
    return any;
}

uint64_t world_count(const struct world *w, uint64_t rate)
{
    return rate == w->rate ? w->now : count_at(ns_at(w, w->now), rate);
}

void world_set_rate(struct world *w, uint64_t rate)
{
    const uint64_t elapsed_ns = w->rate ? ns_at(w, w->now) : 0;
    const uint64_t chunk = (uint64_t)chunk_of(rate);
    w->rate = rate;
    w->chunk = (int)chunk;
    w->now = count_at(elapsed_ns, rate) / chunk * chunk;
}

bool world_agree(struct world *w, const struct device *device)
{
    bool busy = w->fixed_rate;
    for (int i = 0; i < w->n_device; i++) {
        busy = busy || streams(&w->device[i]);
    }
    if (device->rate != w->rate && !busy) {
        world_set_rate(w, device->rate);
    }
    if (device->rate != w->rate) {
        device_say(device, "refused to stream at %llu samples a second: the others have %llu",
                   (unsigned long long)device->rate, (unsigned long long)w->rate);
    }
    return device->rate == w->rate;
}

static void compute_chunk(struct world *w)
{
    const int n = w->chunk;
    fault_advance(w);
    for (int i = 0; i < w->n_device * DEVICE_N_CHANNEL; i++) {
        struct device *d = &w->device[i / DEVICE_N_CHANNEL];
        w->loud[i] =
            transmit_samples(&d->channel[i % DEVICE_N_CHANNEL], device_now(d), w->tx + (size_t)i * (size_t)n, n);
    }
    ether_execute(w->ether, w, device_now(&w->device[0]));
    for (int i = 0; i < w->n_device * DEVICE_N_CHANNEL; i++) {
        struct device *d = &w->device[i / DEVICE_N_CHANNEL];
        receive_samples(&d->channel[i % DEVICE_N_CHANNEL], device_now(d), w->rx + (size_t)i * (size_t)n, n);
    }
    keep_chunk(w->keep, w);
    w->now += (uint64_t)n;
}

/* Elastic: whether hosts must do something first. */
static bool stalled(struct world *w, uint64_t now_ns)
{
    bool wait = false;
    for (int i = 0; i < w->n_device * DEVICE_N_CHANNEL; i++) {
        struct device *d = &w->device[i / DEVICE_N_CHANNEL];
        struct channel *c = &d->channel[i % DEVICE_N_CHANNEL];
        wait = wait || (!d->gone &&
                        (receive_room(c) < (uint64_t)w->chunk || transmit_starves(c, device_now(d), w->chunk, now_ns)));
    }
    return wait;
}

static uint64_t advance_elastic(struct world *w, uint64_t now_ns)
{
    w->due_ns = w->due_ns ? w->due_ns : now_ns;
    if (now_ns < w->due_ns) {
        return w->due_ns - now_ns;
    }
    if (stalled(w, now_ns)) {
        return STALLED_NS;
    }
    compute_chunk(w);
    w->due_ns = now_ns - w->due_ns > SLACK_NS ? now_ns - SLACK_NS : w->due_ns;
    w->due_ns += (uint64_t)((double)ns_at(w, (uint64_t)w->chunk) / w->speed);
    return w->due_ns > now_ns ? w->due_ns - now_ns : 0;
}

static uint64_t advance_real(struct world *w, uint64_t now_ns)
{
    uint64_t due = 0;
    for (int i = 0; i < REAL_CHUNKS_AT_ONCE; i++) {
        due = w->start_ns + ns_at(w, w->now + (uint64_t)w->chunk);
        if (now_ns < due) {
            return due - now_ns;
        }
        compute_chunk(w);
    }
    return 0;
}

double world_skew_us(const struct world *w)
{
    return 1e-3 * ((double)ns_at(w, w->now) - (double)(clock_mono_ns() - w->start_ns));
}

uint64_t world_advance(struct world *w)
{
    const uint64_t now_ns = clock_mono_ns();
    bool any = false;
    for (int i = 0; i < w->n_device; i++) {
        any = any || streams(&w->device[i]);
    }
    if (any) {
        return w->clock == WORLD_ELASTIC ? advance_elastic(w, now_ns) : advance_real(w, now_ns);
    }
    fault_advance(w);
    if (w->due_ns) { /* the last stream has ended */
        w->skew_ns = (int64_t)(world_skew_us(w) * 1e3);
        w->due_ns = 0;
    }
    w->skew_ns = w->skew_ns < 0 && !is_watched(w) ? 0 : w->skew_ns;
    const uint64_t now = count_at(now_ns - w->start_ns + (uint64_t)w->skew_ns, w->rate) / (uint64_t)w->chunk;
    w->now = now * (uint64_t)w->chunk > w->now ? now * (uint64_t)w->chunk : w->now;
    return NS_PER_S / CHUNK_HZ;
}
