/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "timekeeper.h"

uint64_t timekeeper_edge(uint64_t world, uint64_t rate)
{
    return world / rate * rate;
}

static void settle(struct timekeeper *k, uint64_t world)
{
    if (k->waiting && !k->no_pulse && world >= k->edge) {
        k->offset = k->wanted - k->edge;
        k->waiting = false;
    }
}

uint64_t timekeeper_now(struct timekeeper *k, uint64_t world)
{
    settle(k, world);
    return world + k->offset;
}

uint64_t timekeeper_last_pulse(struct timekeeper *k, uint64_t world, uint64_t rate)
{
    settle(k, world);
    return (k->no_pulse ? k->last_edge : timekeeper_edge(world, rate)) + k->offset;
}

void timekeeper_set_now(struct timekeeper *k, uint64_t world, uint64_t ticks)
{
    k->waiting = false;
    k->offset = ticks - world;
}

void timekeeper_set_at_pulse(struct timekeeper *k, uint64_t world, uint64_t rate, uint64_t ticks)
{
    k->waiting = true;
    k->wanted = ticks;
    k->edge = timekeeper_edge(world, rate) + rate;
}

void timekeeper_cut(struct timekeeper *k, uint64_t world, uint64_t rate, bool cut)
{
    settle(k, world);
    if (cut && !k->no_pulse) {
        k->last_edge = timekeeper_edge(world, rate);
    }
    if (!cut && k->waiting && world >= k->edge) {
        k->edge = timekeeper_edge(world, rate) + rate; /* the first pulse after the mending */
    }
    k->no_pulse = cut;
}

void timekeeper_rebase(struct timekeeper *k, uint64_t world_before, uint64_t world_after)
{
    const uint64_t now = timekeeper_now(k, world_before);
    k->waiting = false;
    k->offset = now - world_after;
}
