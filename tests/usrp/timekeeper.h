/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's clock: ticks since somebody set it, driven by the world's count of samples, with a pulse per second that
 * all devices see at the same sample. Pure arithmetic. */
#ifndef TUTTI_TESTS_USRP_TIMEKEEPER_H
#define TUTTI_TESTS_USRP_TIMEKEEPER_H

#include "base/types.h"

/* World time: samples of the common clock; a pulse comes at every multiple of `rate`. Device time: world + offset,
 * modulo 2^64. */
struct timekeeper {
    uint64_t offset;
    bool waiting;          /* a new time is to be set at a pulse */
    uint64_t wanted, edge; /* that time; the world sample of that pulse */
    bool no_pulse;         /* fault: no pulse comes any more */
    uint64_t last_edge;    /* then: the last one that came */
};

/* The world sample of the newest pulse at or before `world`. */
uint64_t timekeeper_edge(uint64_t world, uint64_t rate);
/* Device time at `world`; takes over what was to be set at a pulse that has passed. */
uint64_t timekeeper_now(struct timekeeper *keeper, uint64_t world);
/* Device time at the newest pulse. */
uint64_t timekeeper_last_pulse(struct timekeeper *keeper, uint64_t world, uint64_t rate);
void timekeeper_set_now(struct timekeeper *keeper, uint64_t world, uint64_t ticks);
void timekeeper_set_at_pulse(struct timekeeper *keeper, uint64_t world, uint64_t rate, uint64_t ticks);
/* Cuts the line of the pulse, or mends it. */
void timekeeper_cut(struct timekeeper *keeper, uint64_t world, uint64_t rate, bool cut);
/* The rate, and with it the world's count, was changed: device time goes on from where it is. */
void timekeeper_rebase(struct timekeeper *keeper, uint64_t world_before, uint64_t world_after);

#endif
